package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"localloop.invalid/kubernetes/cni"
)

const (
	settle = 50 * time.Millisecond // one pass over the nodes for a burst of changes
	resync = time.Minute           // what else changed routes or the file is put right
)

// runNodeRoutes is the pod network of one node: it writes the node's CNI configuration, and keeps a
// route to the pods of each other node.
//
// Its environment: NODE_NAME; POD_SUBNET, the network of all pods; CNI_DIRECTORY; and
// CONTROL_PLANE_ENDPOINT, HOST:PORT of the API server where kube-proxy need not be waited for.
func runNodeRoutes() int {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := followNodes(ctx); err != nil {
		log.Print(err)
		return 1
	}
	return 0
}

func followNodes(ctx context.Context) error {
	podSubnet, err := ipv4Prefix(os.Getenv("POD_SUBNET"))
	if err != nil {
		return fmt.Errorf("POD_SUBNET: %w", err)
	}
	network := &podNetwork{
		nodeName:  os.Getenv("NODE_NAME"),
		podSubnet: podSubnet,
		cniFile:   filepath.Join(os.Getenv("CNI_DIRECTORY"), "10-pods.conflist"),
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		return err
	}
	if endpoint := os.Getenv("CONTROL_PLANE_ENDPOINT"); endpoint != "" {
		config.Host = "https://" + endpoint
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}

	factory := informers.NewSharedInformerFactory(client, 0)
	nodes := factory.Core().V1().Nodes()
	changed := make(chan struct{}, 1)
	note := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	if _, err := nodes.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { note() },
		UpdateFunc: func(before, after any) { noteMoved(before, after, note) },
		DeleteFunc: func(any) { note() },
	}); err != nil {
		return err
	}
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), nodes.Informer().HasSynced) {
		return nil // stopped
	}

	ticker := time.NewTicker(resync)
	defer ticker.Stop()
	for {
		all, err := nodes.Lister().List(labels.Everything())
		if err == nil {
			err = network.update(all)
		}
		retry := (<-chan time.Time)(nil)
		if err != nil {
			log.Print(err)
			retry = time.After(time.Second)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			time.Sleep(settle)
		case <-ticker.C:
		case <-retry:
		}
	}
}

// noteMoved passes over heartbeats: only addresses and pod networks matter here.
func noteMoved(before, after any, note func()) {
	old, wasNode := before.(*corev1.Node)
	current, isNode := after.(*corev1.Node)
	if wasNode && isNode {
		oldPeer, _ := peerOf(old)
		currentPeer, _ := peerOf(current)
		if oldPeer == currentPeer {
			return
		}
	}
	note()
}

// peer is what others have to know of a node.
type peer struct {
	address netip.Addr   // the node's own
	pods    netip.Prefix // where its pods are
}

// peerOf gives a node's address and pod network, both IPv4; false where it does not have them yet.
func peerOf(node *corev1.Node) (peer, bool) {
	found := peer{}
	for _, address := range node.Status.Addresses {
		parsed, err := netip.ParseAddr(address.Address)
		if address.Type == corev1.NodeInternalIP && err == nil && parsed.Is4() {
			found.address = parsed
			break
		}
	}
	for _, cidr := range append([]string{node.Spec.PodCIDR}, node.Spec.PodCIDRs...) {
		if prefix, err := ipv4Prefix(cidr); err == nil {
			found.pods = prefix
			break
		}
	}
	return found, found.address.IsValid() && found.pods.IsValid()
}

func ipv4Prefix(text string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	if !prefix.Addr().Is4() {
		return netip.Prefix{}, fmt.Errorf("%s is not IPv4: this node image has IPv4 networks only", text)
	}
	return prefix.Masked(), nil
}

type podNetwork struct {
	nodeName  string
	podSubnet netip.Prefix
	cniFile   string
}

// update makes the node's CNI configuration and routes what the nodes of the cluster ask for.
func (n *podNetwork) update(nodes []*corev1.Node) error {
	problems := []error{}
	wanted := map[netip.Prefix]netip.Addr{}
	for _, node := range nodes {
		known, complete := peerOf(node)
		switch {
		case node.Name != n.nodeName && complete:
			wanted[known.pods] = known.address
		case node.Name == n.nodeName && known.pods.IsValid():
			problems = append(problems, n.writeCNI(known.pods))
		}
	}
	problems = append(problems, setRoutes(wanted))
	return errors.Join(problems...)
}

func (n *podNetwork) writeCNI(pods netip.Prefix) error {
	mtu, err := uplinkMTU()
	if err != nil {
		return err
	}
	content := cni.Configuration(n.podSubnet, pods, mtu)
	if present, err := os.ReadFile(n.cniFile); err == nil && string(present) == string(content) {
		return nil
	}
	unfinished := n.cniFile + ".new" // of no extension that containerd reads
	if err := os.WriteFile(unfinished, content, 0o644); err != nil {
		return err
	}
	if err := os.Rename(unfinished, n.cniFile); err != nil {
		return err
	}
	log.Printf("%s: pods of this node are in %s", n.cniFile, pods)
	return nil
}
