package cni

import (
	"flag"
	"net/netip"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write the golden file")

func TestConfigurationOfTheSecondNode(t *testing.T) {
	const golden = "testdata/second-node.conflist"
	got := Configuration(netip.MustParsePrefix("10.244.0.0/16"), netip.MustParsePrefix("10.244.1.0/24"), 1450)
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestLastAddressForPods(t *testing.T) {
	for network, want := range map[string]string{
		"10.244.1.0/24":   "10.244.1.254",
		"10.244.2.128/25": "10.244.2.254",
		"10.0.0.0/8":      "10.255.255.254",
		"10.1.2.8/29":     "10.1.2.14",
	} {
		if got := beforeLast(netip.MustParsePrefix(network)).String(); got != want {
			t.Errorf("%s: got %s, want %s", network, got, want)
		}
	}
}
