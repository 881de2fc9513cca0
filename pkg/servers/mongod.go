package servers

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/imglint/imglint/pkg/facts"
)

// mongodConf is what matters of mongod.conf.
type mongodConf struct {
	Net struct {
		Port      string `yaml:"port"`
		BindIP    string `yaml:"bindIp"`
		BindIPAll bool   `yaml:"bindIpAll"`
	} `yaml:"net"`
	ProcessManagement struct {
		Fork bool `yaml:"fork"`
	} `yaml:"processManagement"`
	Sharding struct {
		ClusterRole string `yaml:"clusterRole"`
	} `yaml:"sharding"`
}

// mongod: options beat the file of -f; the default is localhost:27017 (MongoDB
// manual, reference/configuration-options, since 3.6).
func mongod(run *invocation) {
	if run.p.Ends != "" {
		return
	}
	run.p.Complete = true
	var conf mongodConf
	file := "mongod's default"
	if o := run.option([]string{"-f", "--config"}); o != nil {
		file = run.absolute(o.value)
		text, err := run.read(file)
		if err == nil {
			err = yaml.Unmarshal([]byte(text), &conf)
		}
		if err = firstError(run.known(o), err); err != nil {
			run.p.Daemonizes, run.p.DaemonWhy = orTri(run.p.Daemonizes == facts.Yes), "the configuration file may say fork"
			run.unknown("%s may decide and was not read: %v", file, err)
			return
		}
	}
	if conf.ProcessManagement.Fork {
		run.p.Daemonizes, run.p.DaemonWhy = facts.Yes, file+": fork"
	}
	if run.option([]string{"--shardsvr", "--configsvr"}) != nil || conf.Sharding.ClusterRole != "" {
		run.unknown("a shard has another port")
	}
	port := run.resolve(setting{Flags: []string{"--port"}, Default: "27017"})
	if !port.explicit && conf.Net.Port != "" {
		port.text, port.from = conf.Net.Port, file
	}
	host := run.resolve(setting{Flags: []string{"--bind_ip"}, Default: "localhost"})
	switch {
	case run.option([]string{"--bind_ip_all"}) != nil:
		host.text, host.from, host.err = "0.0.0.0", "--bind_ip_all", nil
	case !host.explicit && conf.Net.BindIPAll:
		host.text, host.from = "0.0.0.0", file
	case !host.explicit && conf.Net.BindIP != "":
		host.text, host.from = conf.Net.BindIP, file
	}
	run.mongodListen(host, port)
}

func (run *invocation) mongodListen(host, port found) {
	number, err := portNumber(port.text)
	if err = firstError(host.err, port.err, err); err != nil {
		run.unknown("%v", err)
		return
	}
	for _, h := range strings.FieldsFunc(host.text, func(r rune) bool { return r == ',' || r == ' ' }) {
		if h == "*" {
			h = "0.0.0.0"
		}
		if strings.HasPrefix(h, "/") {
			continue
		}
		run.addListen(h, number, host.from, port.from)
	}
	run.p.FixPublic = run.remedy(fix{Flag: "--bind_ip", Value: "0.0.0.0", End: true}, "listen on all interfaces")
}
