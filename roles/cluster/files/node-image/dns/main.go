// Service names for pods: keeps a hosts file equal to the cluster's Services and tells dnsmasq.
//
// Served are NAME.NAMESPACE.svc.cluster.local for Services with a cluster IP, the addresses behind
// headless ones, and HOSTNAME.NAME.NAMESPACE... for their pods with a host name (StatefulSets).
// Not served: SRV records and Services of type ExternalName.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io/ioutil"
	"log"
	"os"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	domain = "svc.cluster.local"
	settle = 50 * time.Millisecond
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "how to reach the API server")
	hosts := flag.String("hosts", "", "the hosts file to write")
	pidfile := flag.String("pidfile", "", "where dnsmasq notes its process id")
	flag.Parse()

	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		log.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		log.Fatal(err)
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	services := factory.Core().V1().Services()
	endpoints := factory.Core().V1().Endpoints()

	changed := make(chan struct{}, 1)
	note := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(interface{}) { note() },
		UpdateFunc: func(interface{}, interface{}) { note() },
		DeleteFunc: func(interface{}) { note() },
	}
	services.Informer().AddEventHandler(handler)
	endpoints.Informer().AddEventHandler(handler)
	factory.Start(nil)
	factory.WaitForCacheSync(nil)
	note()

	var served []byte
	for range changed {
		time.Sleep(settle) // one write for a burst
		content, err := render(services.Lister(), endpoints.Lister())
		if err != nil {
			log.Fatal(err)
		}
		if served != nil && bytes.Equal(content, served) {
			continue
		}
		if err := publish(content, *hosts, *pidfile); err != nil {
			log.Print(err)
			time.Sleep(time.Second)
			note()
			continue
		}
		served = content
	}
}

// render gives the hosts file: one "ADDRESS NAME" a line, sorted.
func render(services listers.ServiceLister, endpoints listers.EndpointsLister) ([]byte, error) {
	all, err := services.List(labels.Everything())
	if err != nil {
		return nil, err
	}
	lines := []string{}
	for _, service := range all {
		name := fmt.Sprintf("%s.%s.%s", service.Name, service.Namespace, domain)
		switch {
		case service.Spec.Type == v1.ServiceTypeExternalName:
		case service.Spec.ClusterIP == v1.ClusterIPNone:
			found, err := endpoints.Endpoints(service.Namespace).Get(service.Name)
			if err != nil {
				continue // its endpoints are not there yet: their event comes
			}
			lines = append(lines, headless(name, service, found)...)
		case service.Spec.ClusterIP != "":
			lines = append(lines, service.Spec.ClusterIP+" "+name)
		}
	}
	sort.Strings(lines)
	return []byte(strings.Join(lines, "\n") + "\n"), nil
}

func headless(name string, service *v1.Service, endpoints *v1.Endpoints) []string {
	lines := []string{}
	for _, subset := range endpoints.Subsets {
		addresses := append([]v1.EndpointAddress{}, subset.Addresses...)
		if service.Spec.PublishNotReadyAddresses {
			addresses = append(addresses, subset.NotReadyAddresses...)
		}
		for _, address := range addresses {
			lines = append(lines, address.IP+" "+name)
			if address.Hostname != "" {
				lines = append(lines, address.IP+" "+address.Hostname+"."+name)
			}
		}
	}
	return lines
}

func publish(content []byte, hosts, pidfile string) error {
	temporary := hosts + ".new"
	if err := ioutil.WriteFile(temporary, content, 0o644); err != nil {
		return err
	}
	if err := os.Rename(temporary, hosts); err != nil {
		return err
	}
	noted, err := ioutil.ReadFile(pidfile)
	if err != nil {
		return err // dnsmasq is not up yet
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(noted)))
	if err != nil {
		return err
	}
	return syscall.Kill(pid, syscall.SIGHUP)
}
