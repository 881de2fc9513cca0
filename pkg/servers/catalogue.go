package servers

// server is one file of the catalogue.
//
//	id, title     the server's name in reports, and as people call it
//	source        where the facts come from; "measured" ones were run
//	programs      names that select the entry: a file name, "python -m MODULE",
//	              "busybox APPLET"; * matches within a name
//	words         the first word after the options, one of these; "" is none
//	needs         options of which one must be given
//	options       how the program reads its words, see type grammar
//	application   it needs a word that names the application
//	protocol      what the listeners speak: http, https, redis, …
//	host, port    settings of the one listener; bind: a list of addresses
//	exclusive     bind, unix and host or port cannot be given together
//	unix          a unix socket; it takes the place of the default listener
//	also          listeners that are always there, HOST:PORT
//	more          listeners that are there when they are asked for, see type further
//	none          the program opens no socket
//	unknown       why the listeners cannot be told
//	decide        background or not, see type decision; the first that applies
//	development   the name of a framework's development server
//	v6only        a [::] listener refuses IPv4
//	maybe         files that may decide host or port and are not read further
//	public        ways to listen on all interfaces, best first
//	foreground    ways to stay in the foreground, best first
//	service       init scripts of it, with the command for the foreground
//	evaluator     the Go function that completes the prediction
type server struct {
	ID          string
	Title       string
	Source      string
	Programs    []string
	Words       []string
	Needs       []string
	Options     grammar
	Application bool
	Protocol    string
	Host        *setting
	Port        *setting
	Bind        *bind
	Unix        *setting
	Exclusive   bool
	Also        []string
	More        []further
	None        bool
	Unknown     string
	Decide      []decision
	Development string
	V6Only      bool `yaml:"v6only"`
	Maybe       []maybe
	Public      []fix
	Foreground  []fix
	Service     map[string][]string
	Evaluator   string

	evaluate func(*invocation)
}

// grammar is how a program reads its words.
type grammar struct {
	Style    string   // "": getopt, with clusters; "go": one dash for all; "words": --x value pairs as redis
	Abbrev   bool     // unique prefixes of long options are accepted
	Stop     bool     // options end at the first word that is none
	Values   []string // options with a value that decide nothing here
	Flags    []string // options without one
	Optional []string // options whose value may be missing
}

// setting is one value and where it comes from: flags, then env, then conf,
// then the default.
type setting struct {
	Flags       []string
	Env         []string
	Positional  *int // which word after the options and the subcommand
	Conf        *conf
	Default     string
	Bare        string       // the value of a flag that is given without one
	Development *development // the default in a development environment
	Wins        bool         // of unix: nothing else is opened
	PathPrefix  bool         // of unix: only values starting with / or .
}

// development changes a default where the environment is development, which
// it is when nothing says otherwise.
type development struct {
	Default string
	Flags   []string
	Env     []string
}

// bind is a setting that holds addresses.
type bind struct {
	setting `yaml:",inline"`
	Address addressGrammar
	Append  bool // flags add up; otherwise the last one counts
	Adds    bool // what the configuration says is added to the flags
}

// addressGrammar is how a program reads an address.
type addressGrammar struct {
	Port      int      // the default port, 0: random
	EmptyHost string   `yaml:"emptyHost"` // what ":80" means; "" is an error
	Number    string   // what "80" means: port, host or error
	PortHost  string   `yaml:"portHost"` // the host of "80" when ":80" is an error
	HostOnly  string   `yaml:"hostOnly"` // what "h" means: "" the default port, error
	Schemes   []string // prefixes that may stand in front
	Require   bool     // one of the prefixes must
	Star      string   // what "*" means as host; "" is an error
	Unix      []string // prefixes of unix sockets
	Zero      string   // what the host "0" means
	Twisted   bool     // tcp:port=80:interface=h
	Strip     string   // a pattern of what may stand around an address
}

// decision is one rule about going to the background. It applies when all
// that it names is so. Value alone is a pattern for the first word.
type decision struct {
	Flags []string // one of them is given
	Value string   // a pattern for the value of that flag, or of conf
	Words []string // the first word, one of these
	Env   []string // one of them is set
	Conf  *conf    // the configuration file says so
	Bare  bool     // no words at all
	Then  string   // foreground, daemon, ends, interactive or unknown
	Hides bool     // of unknown: the defaults are not certain either
	Says  string   // of ends: what it does; of interactive: which program waits for a terminal; of unknown: why
}

// conf finds a value in a configuration file.
type conf struct {
	Flags      []string // options that name the file
	Positional *int     // the word that names it; of 0: only if no option stands before
	Anywhere   bool     // the word may stand behind options
	Required   bool     // without a name no file is read
	Files      []string // otherwise the first of these that exists
	Pattern    string   // the value is its first group, or the whole
	Unless     string   // a pattern of what makes the file too hard to read
	All        bool     // every match counts, not only the last
	Include    string   // a pattern of lines that name files to be read in their place
	Suffix     string   // added to such a name when it is a directory: "/*.conf"
	Section    string   // a pattern of the [sections] that count
}

// maybe are files that may decide something.
type maybe struct {
	Files []string // relative to the working directory
	Keys  []string // patterns; without a match the file decides nothing
	For   []string // host, port
}

// further is a listener that is opened when its address or port is given, or
// has a default. "0" as a port, and "" as an address, close it.
type further struct {
	Network  string // "" is tcp
	Protocol string
	Host     *setting
	Port     *setting
	Bind     *bind
}

// fix is one way to change the command.
type fix struct {
	Says       string
	Flag       string // set this option to Value
	Value      string // {port}, {host}: as predicted
	Present    bool   // only where the option stands already
	End        bool   // a new option goes to the end, not behind the program
	Positional *int   // set this word to Value
	Env        string // set a variable, KEY=VALUE
	Insert     []string
	Append     []string
	Remove     []string          // take these options away
	Replace    map[string]string // words to replace; "" takes them away
	Argv       []string          // the whole command
	Edit       string            // what to write where
}
