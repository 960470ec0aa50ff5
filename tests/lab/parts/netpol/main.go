// The lab's enforcement of NetworkPolicy: kube-router's controller for them, and nothing else of kube-router.
package main

import (
	"flag"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/cloudnativelabs/kube-router/pkg/controllers/netpol"
	"github.com/cloudnativelabs/kube-router/pkg/healthcheck"
	"github.com/cloudnativelabs/kube-router/pkg/options"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

func main() {
	klog.InitFlags(nil)
	kubeconfig := flag.String("kubeconfig", "", "file with the API server's address and our credentials")
	config := options.NewKubeRouterConfig()
	flag.StringVar(&config.HostnameOverride, "node-name", "", "name of the Node that this process runs on")
	flag.StringVar(&config.ClusterIPCIDR, "service-cidr", "", "address range of Services, such as 10.216.0.0/16")
	flag.DurationVar(&config.IPTablesSyncPeriod, "sync-period", 30*time.Second, "longest time between two writings of all rules")
	flag.Parse()

	rest, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	exitOn(err)
	client, err := kubernetes.NewForConfig(rest)
	exitOn(err)
	factory := informers.NewSharedInformerFactory(client, 0)
	pods, namespaces := factory.Core().V1().Pods().Informer(), factory.Core().V1().Namespaces().Informer()
	policies := factory.Networking().V1().NetworkPolicies().Informer()
	controller, err := netpol.NewNetworkPolicyController(client, config, pods, policies, namespaces, &sync.Mutex{})
	exitOn(err)
	for informer, handler := range map[cache.SharedIndexInformer]cache.ResourceEventHandler{
		pods: controller.PodEventHandler, namespaces: controller.NamespaceEventHandler, policies: controller.NetworkPolicyEventHandler,
	} {
		informer.AddEventHandler(handler)
	}

	stop, stopped := make(chan struct{}), sync.WaitGroup{}
	factory.Start(stop)
	factory.WaitForCacheSync(stop)
	heartbeats := make(chan *healthcheck.ControllerHeartbeat)
	go func() {
		for range heartbeats { // the controller sends them, nobody here asks for them
		}
	}()
	stopped.Add(1)
	go controller.Run(heartbeats, stop, &stopped)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	<-signals
	close(stop)
	stopped.Wait()
}

func exitOn(err error) {
	if err != nil {
		klog.Exit(err)
	}
}
