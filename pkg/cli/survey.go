package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// survey is what imglint init sees in a repository.
type survey struct {
	platform, why string
	images        []foundImage
	example       string // the file that lists variables
	variables     []string
	saw           []string
}

type foundImage struct {
	name, dockerfile string
	ports            []string
}

// signs are files that only the users of one platform have.
var signs = []struct{ file, platform string }{
	{".aptible.yml", "aptible"}, {"fly.toml", "fly"}, {"heroku.yml", "heroku"}, {"render.yaml", "render"},
	{"railway.json", "railway"}, {"railway.toml", "railway"}, {"config/deploy.yml", "kamal"},
	{".do/app.yaml", "digitalocean"}, {"apprunner.yaml", "app-runner"},
}

// deepest is how many folders down Dockerfiles are looked for.
const deepest = 3

// most bounds what is written for people.
const most = 20

// look reads the names of the files, the Dockerfiles and an example of the
// environment.
func look(repository fs.FS, name string) (survey, error) {
	s := survey{platform: "aptible"}
	for _, sign := range signs {
		if _, err := fs.Stat(repository, sign.file); err == nil && isPlatform(sign.platform) {
			s.platform, s.why = sign.platform, "   # because of "+sign.file
			s.saw = append(s.saw, sign.file)
			break
		}
	}
	if err := s.dockerfiles(repository, imageName(name)); err != nil {
		return s, fmt.Errorf("look for Dockerfiles: %w", err)
	}
	s.example, s.variables = variables(repository)
	if s.example != "" {
		s.saw = append(s.saw, s.example)
	}
	return s, nil
}

func isPlatform(name string) bool {
	for _, known := range knownNames().Platforms {
		if known == name {
			return true
		}
	}
	return false
}

// dockerfiles finds them, and names each image after the repository and the folder.
func (s *survey) dockerfiles(repository fs.FS, name string) error {
	err := fs.WalkDir(repository, ".", func(file string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrPermission):
			return nil
		case err != nil:
			return err
		case d.IsDir() && file != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "vendor" || strings.Count(file, "/") >= deepest):
			return fs.SkipDir
		case !d.Type().IsRegular() || !isDockerfile(d.Name()) || len(s.images) == most:
			return nil
		}
		text, err := fs.ReadFile(repository, file)
		if err != nil {
			return nil
		}
		s.images = append(s.images, foundImage{name + suffix(file), file, exposed(string(text))})
		s.saw = append(s.saw, file)
		return nil
	})
	if len(s.images) == 0 {
		s.images = []foundImage{{name, "Dockerfile", nil}}
		s.saw = append(s.saw, "no Dockerfile")
	}
	return err
}

func isDockerfile(name string) bool {
	lower := strings.ToLower(name)
	return (lower == "dockerfile" || strings.HasPrefix(lower, "dockerfile.") || strings.HasSuffix(lower, ".dockerfile")) &&
		!strings.HasSuffix(lower, ".dockerignore")
}

var noImageName = regexp.MustCompile(`[^a-z0-9]+`)

func imageName(text string) string {
	if name := strings.Trim(noImageName.ReplaceAllString(strings.ToLower(text), "-"), "-"); name != "" {
		return name
	}
	return "app"
}

// suffix tells the images of one repository apart: the folder, and what stands
// beside "Dockerfile" in the name.
func suffix(file string) string {
	base := strings.ToLower(path.Base(file))
	parts := path.Dir(file) + "/" + strings.Replace(base, "dockerfile", "", 1)
	name := strings.Trim(noImageName.ReplaceAllString(strings.ToLower(parts), "-"), "-")
	if name == "" {
		return ""
	}
	return "-" + name
}

var expose = regexp.MustCompile(`(?im)^[ \t]*EXPOSE[ \t]+(.+)$`)

// exposed returns the ports that the Dockerfile exposes as numbers.
func exposed(text string) []string {
	var all []string
	for _, m := range expose.FindAllStringSubmatch(text, -1) {
		for _, word := range strings.Fields(m[1]) {
			number, protocol, _ := strings.Cut(word, "/")
			if n, err := strconv.Atoi(number); err == nil && n > 0 && n <= 65535 && protocol != "udp" {
				all = append(all, number)
			}
		}
	}
	return all
}

var variableLine = regexp.MustCompile(`(?m)^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=`)

// variables reads the names, never the values, of an example environment.
func variables(repository fs.FS) (file string, names []string) {
	for _, file := range []string{".env.example", ".env.sample", ".env.template", ".env.dist", "env.example"} {
		text, err := fs.ReadFile(repository, file)
		if err != nil {
			continue
		}
		for _, m := range variableLine.FindAllStringSubmatch(string(text), most) {
			names = append(names, m[1])
		}
		return file, names
	}
	return "", nil
}
