package servers

import (
	"path"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// words makes a set of a list of names.
func wordSet(text string) map[string]bool {
	set := map[string]bool{}
	for _, name := range strings.Fields(text) {
		set[name] = true
	}
	return set
}

// reads are programs that end by themselves and write no file of the system:
// they look, wait, compute, print, or change owners and users.
var reads = wordSet(`
	awk base64 basename bc cat cksum cmp comm cut date df diff dig dirname du egrep env envsubst expr false fgrep file find free gawk
	getconf getent grep groups head hexdump host hostname id ifconfig ip jq ldconfig less ls lscpu lsof md5sum mktemp nc ncat netstat nl nproc
	nslookup od paste pgrep pidof ping printenv printf ps pwd readlink realpath rev sed seq sha1sum sha256sum sha512sum sleep sort ss stat
	strings stty sum sync tac tail telnet test timeout touch tput tr true tty uname uniq uptime uuidgen wait wc which whoami xxd yes yq
	addgroup adduser chgrp chmod chown chpasswd deluser groupadd groupmod passwd setcap setfacl useradd userdel usermod
	clear kill killall pkill ulimit umask
	mysql mysqladmin mongo mongosh pg_isready psql redis-cli createdb dropdb nodetool cqlsh rabbitmqctl rabbitmq-diagnostics
	wait-for wait-for-it wait4x wait-for-db wait_for_db dpkg dpkg-query numactl locale-gen update-ca-certificates mkdir mkfifo
	aws gcloud vault gpg`)

// works are programs that end by themselves and write files of the application
// or of their own, not a server's configuration.
var works = wordSet(`
	alembic aerich pybabel django-admin manage.py python
	node npm npx yarn pnpm bun prisma knex sequelize sequelize-cli typeorm drizzle-kit tsc next nuxt vite webpack gulp grunt ng
	ruby bundle rake rails gem php composer artisan drush wp bin/console
	pip pip3 poetry pipenv uv go cargo mvn gradle mix dotnet
	goose flyway dbmate migrate liquibase atlas sqlx diesel refinery
	certbot crontab ssh-keygen openssl mongoimport mongorestore pg_dump pg_restore mysqldump initdb mysql_install_db flask service`)

// ends are further programs that end by themselves: they may write anything.
var ends = wordSet(`
	apt apt-get apk yum dnf microdnf cp curl dd git dpkg-reconfigure gunzip gzip install ln mv patch rm rmdir rsync tar tee truncate
	unlink unzip wget xargs confd consul-template dockerize-template a2enmod a2dissite a2ensite a2enconf a2dismod nginx-config j2 gomplate`)

// mayServe are programs of works that serve, or run anything, with some words.
var mayServe = wordSet(`python node ruby php go cargo dotnet mix npm npx yarn pnpm bun bundle rails flask artisan uv poetry pipenv manage.py
	django-admin next nuxt vite webpack ng service gulp grunt`)

// quiet reports whether a command that runs first leaves the configuration of
// servers as the image has it.
func quiet(c facts.Command) bool {
	name := plainName(c)
	switch {
	case name == "find":
		return quietFind(c)
	case name == "sed" || name == "perl":
		return !inPlace(c)
	}
	return reads[name] || works[name]
}

// finite reports whether a command certainly ends by itself and leaves
// nothing running.
func finite(c facts.Command) bool {
	name := plainName(c)
	if mayServe[name] {
		return finishes(c)
	}
	return name != "" && (reads[name] || works[name] || ends[name]) && !(name == "tail" && slices.ContainsFunc(c.Words()[1:], func(w string) bool {
		return strings.HasPrefix(w, "-") && strings.ContainsAny(w, "fF")
	}))
}

// tasks are what package managers do and end.
var tasks = wordSet(`install i ci add build update upgrade sync exec-migrations prune rebuild dedupe audit`)

// finishes judges programs that may do anything by their first word.
func finishes(c facts.Command) bool {
	words := c.Words()[1:]
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		words = words[1:]
	}
	switch plainName(c) {
	case "npm", "yarn", "pnpm", "bun":
		if len(words) > 1 && (words[0] == "run" || words[0] == "run-script") {
			return words[1] == "build"
		}
		return len(words) == 0 && plainName(c) == "yarn" || len(words) > 0 && tasks[words[0]]
	case "python", "node", "ruby", "php": // the program comes from a here-document
		return len(c.Argv) == 2 && c.Argv[1].Text == "-"
	case "uv", "poetry", "pipenv", "bundle", "go", "cargo", "dotnet", "next", "nuxt", "vite", "ng":
		return len(words) > 0 && tasks[words[0]]
	}
	return false
}

func quietFind(c facts.Command) bool {
	words := c.Words()
	for i, w := range words {
		switch w {
		case "-delete", "-fprint", "-fprintf", "-fls":
			return false
		case "-exec", "-execdir", "-ok", "-okdir":
			if i+1 >= len(words) || !reads[path.Base(words[i+1])] || path.Base(words[i+1]) == "sed" {
				return false
			}
		}
	}
	return true
}

func inPlace(c facts.Command) bool {
	return slices.ContainsFunc(c.Argv[1:], func(w facts.Word) bool {
		return !w.Known || strings.HasPrefix(w.Text, "-") && !strings.HasPrefix(w.Text, "--") && strings.Contains(w.Text, "i") || strings.HasPrefix(w.Text, "--in-place")
	})
}

// named are programs that write only what their words name.
var named = wordSet("rm rmdir mv cp ln sed perl touch install tee truncate unlink gzip gunzip dd patch")

// apart reports whether a command writes only files other than the one given,
// and no directory above it.
func apart(c facts.Command, file string) bool {
	name := plainName(c)
	if name == "tar" {
		return unpacks(c, file)
	}
	if !named[name] || file == "" {
		return false
	}
	for i, w := range c.Argv[1:] {
		switch {
		case !w.Known:
			return false
		case strings.HasPrefix(w.Text, "-") || name == "sed" && i < 2 && !strings.HasPrefix(w.Text, "/"):
			continue
		}
		text := w.Text
		if name == "dd" {
			text = strings.TrimPrefix(text, "of=")
		}
		if near(c, text, file) {
			return false
		}
	}
	return true
}

// near reports whether a path is the file, or a directory above it.
func near(c facts.Command, name, file string) bool {
	if !path.IsAbs(name) {
		if c.Dir == "" {
			return true
		}
		name = path.Join(c.Dir, name)
	}
	name = path.Clean(name)
	if at := strings.IndexAny(name, "*?["); at >= 0 { // a pattern may match anything below
		name = path.Dir(name[:at] + "x")
	}
	if dir, ok := strings.CutSuffix(file, "/"+anyName); ok && path.Dir(name) == dir {
		return true
	}
	return name == file || name == "/" || strings.HasPrefix(file, name+"/")
}

// anyName stands for whatever a directory may hold.
const anyName = "\x00"

// unpacks judges tar by the directory that it works in.
func unpacks(c facts.Command, file string) bool {
	words, dir := c.Words(), c.Dir
	for i, w := range words {
		if !c.Argv[i].Known {
			return false
		}
		if value, ok := strings.CutPrefix(w, "--directory="); ok {
			dir = value
		}
		if i+1 < len(words) && (w == "-C" || w == "--directory" || strings.HasPrefix(w, "-") && !strings.HasPrefix(w, "--") && strings.HasSuffix(w, "C")) {
			dir = words[i+1]
		}
	}
	return dir != "" && !near(c, dir, file)
}
