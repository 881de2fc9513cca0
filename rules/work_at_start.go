package rules

import (
	"fmt"
	"regexp"

	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// WorkAtStart reports packages that are installed, assets that are built, and
// databases that are migrated on every start of the container.
//
// Why it matters: the work counts against the boot window, on every start and
// for every container at once, and it needs the network or the database to be
// there: the health check fails when a registry is slow. An install can also
// bring another version than the one that was tested.
//
// Fix: install and build in the Dockerfile; migrate in the platform's release
// step (before_release on Aptible, a release phase, an init container).
var WorkAtStart = &rule.Rule{
	ID:       "work-at-start",
	Title:    "installs, builds or migrates on every start",
	Severity: finding.Warning,
	Needs:    rule.NeedsImage,
	After:    []*rule.Rule{CommandNotFound, CommandNotExecutable},
	Check:    checkWorkAtStart,
}

// work tells commands that belong elsewhere by how they begin.
var work = []struct {
	command  *regexp.Regexp
	does     string
	severity finding.Severity
}{
	{regexp.MustCompile(`^(npm (ci|i|install)|yarn( install)?|pnpm (i|install)|bun install)( -.*)?$`), "installs packages", finding.Warning},
	{regexp.MustCompile(`^(pip[0-9.]* install|python[0-9.]* -m pip install|poetry install|pipenv (install|sync)|uv sync|bundle install|composer install|go mod download)\b`), "installs packages", finding.Warning},
	{regexp.MustCompile(`^(apt-get|apt|apk|yum|dnf|microdnf) (-\S+ )*(install|add|update|upgrade)\b`), "installs packages", finding.Warning},
	{regexp.MustCompile(`^(npm run build|yarn (run )?build|pnpm (run )?build|next build|vite build|ng build|webpack|mvn .*package|gradle build|\./gradlew build|go build|cargo build)\b`), "builds", finding.Warning},
	{regexp.MustCompile(`^(python[0-9.]* (\./)?manage\.py|(\./)?manage\.py|django-admin) migrate\b`), "migrates the database", finding.Note},
	{regexp.MustCompile(`^((\./)?(bin/)?(rails|rake)|bundle exec (rails|rake)) db:(migrate|prepare|setup)\b`), "migrates the database", finding.Note},
	{regexp.MustCompile(`^(alembic upgrade|flask db upgrade|(npx )?prisma (migrate deploy|db push)|php artisan migrate|(npx )?knex migrate|(npx )?sequelize db:migrate)\b`), "migrates the database", finding.Note},
}

func checkWorkAtStart(p *rule.Pass) {
	if !certain(p) {
		return
	}
	for _, c := range p.Launch.Before {
		line := spelled(c)
		for _, w := range work {
			if !w.command.MatchString(line) {
				continue
			}
			p.Report(finding.Finding{
				Severity: w.severity, Basis: finding.Predicted,
				Message: fmt.Sprintf("every start %s first: %s", w.does, clip(line, 80)),
				Place:   atStart(p, c),
				Fix:     workFix(w.does),
			})
			return
		}
	}
}

func workFix(does string) *finding.Fix {
	if does == "migrates the database" {
		return &finding.Fix{Description: "migrate in the platform's release step, once for all containers"}
	}
	return &finding.Fix{Description: "do it once, with RUN in the Dockerfile"}
}
