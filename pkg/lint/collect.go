package lint

import (
	"io/fs"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/launch"
	"github.com/imglint/imglint/pkg/servers"
)

// collect does the static half: what will run and what it will listen on, and
// the edits that would cure what may be wrong with it.
func collect(img facts.Image, files fs.FS, o Options) *facts.Facts {
	f := understand(img, files, o)
	for _, remedies := range remedyLists(&f.Prediction) {
		for i := range remedies {
			r := &remedies[i]
			change, instruction, ok := launch.Rewrite(f.Image.Config, f.Launch, *r)
			if ok {
				r.Change, r.Instruction = change, instruction
			}
		}
	}
	m := mender{facts: f, files: files, options: o}
	m.mend()
	return f
}

// understand tells what the image will run and what that will listen on.
func understand(img facts.Image, files fs.FS, o Options) *facts.Facts {
	if !o.asIs {
		img.Config = asService(o.overridden(img.Config), o.service)
	}
	f := &facts.Facts{Image: img, Target: o.Platform.Target(img, o.Overrides)}
	if f.Target.Service = o.service.Name; f.Target.Service != "" {
		f.Target.Env = o.Platform.ServiceEnv(f.Target.Env, o.service)
	}
	deploy(f, o)
	f.Again = o.again(img.Ref)
	f.Launch = launch.FollowWith(f.Image.Config, environment(f, o), files, o.Interpreter)
	f.Prediction = servers.Predict(f.Launch, files)
	return f
}

// settled are the options for an image whose command is already what the user,
// a manifest or a Procfile makes of it.
func (o Options) settled() Options {
	o.asIs = true
	return o
}

func remedyLists(p *facts.Prediction) [][]facts.Remedy {
	lists := [][]facts.Remedy{p.FixPublic, p.FixForeground, p.FixPort, p.FixPreload, p.Unlimited}
	if p.Gunicorn != nil {
		lists = append(lists, p.Gunicorn.FixPreload, p.Gunicorn.FixTimeout)
	}
	return lists
}
