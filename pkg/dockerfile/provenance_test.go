package dockerfile

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The shapes of buildkitd 0.25.2's attestations, without what is not read; the
// data are "FROM scratch\nCMD [\"x\"]\n".
const (
	slsa02 = `{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"https://slsa.dev/provenance/v0.2","predicate":{
"invocation":{"configSource":{"entryPoint":"Dockerfile"},"parameters":{"frontend":"dockerfile.v0","args":{"build-arg:PORT":"8000","target":"web"}}},
"metadata":{"buildInvocationID":"x","completeness":{"parameters":true},"reproducible":false,
"https://mobyproject.org/buildkit@v1#metadata":{"source":{"infos":[{"filename":"Dockerfile","language":"Dockerfile","data":"RlJPTSBzY3JhdGNoCkNNRCBbIngiXQo="}]}}}}}`
	slsa1 = `{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://slsa.dev/provenance/v1","predicate":{
"buildDefinition":{"externalParameters":{"request":{"args":{"build-arg:PORT":"8000","target":"web"}}}},
"runDetails":{"metadata":{"invocationID":"x","buildkit_metadata":{"source":{"infos":[{"filename":"Dockerfile","data":"RlJPTSBzY3JhdGNoCkNNRCBbIngiXQo="}]}}}}}}`
	slsaMin = `{"predicate":{"invocation":{"parameters":{"args":{"target":"web"}}},"metadata":{"reproducible":false}}}`
)

func TestReadProvenance(t *testing.T) {
	t.Parallel()
	want := Provenance{File: "Dockerfile", Source: []byte("FROM scratch\nCMD [\"x\"]\n"), Target: "web", BuildArgs: map[string]string{"PORT": "8000"}}
	for name, text := range map[string]string{"0.2": slsa02, "1": slsa1} {
		got, err := ReadProvenance([]byte(text))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	if _, err := ReadProvenance([]byte(slsaMin)); !errors.Is(err, ErrNoSource) {
		t.Errorf("mode=min: %v", err)
	}
	if _, err := ReadProvenance([]byte("nonsense")); err == nil || errors.Is(err, ErrNoSource) {
		t.Errorf("nonsense: %v", err)
	}
}

func FuzzProvenance(f *testing.F) {
	for _, text := range []string{slsa02, slsa1, slsaMin, "", "[]", `{"predicate":{"metadata":{"https://mobyproject.org/buildkit@v1#metadata":[]}}}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if p, err := ReadProvenance(text); err == nil && len(p.Source) == 0 {
			t.Error("a provenance without a Dockerfile is none")
		}
	})
}
