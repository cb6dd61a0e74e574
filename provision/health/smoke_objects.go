package health

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// The names and ports of the smoke test's objects.
const (
	smokeNamespace = "hardway-smoke" // where the spec gives none; a random suffix follows
	smokeName      = "smoke"         // of the Service, and the beginning of the pods' names
	podPort        = 8080
	servicePort    = 80
	// tokenMount is where pods look for their API credentials and the cluster's CA.
	tokenMount = "/var/run/secrets/kubernetes.io/serviceaccount"
)

// smokeLabels mark the namespace and everything in it. The second one keeps the
// sweep of leftovers away from whatever else hardway may own.
func smokeLabels() map[string]string {
	return map[string]string{
		"app.kubernetes.io/managed-by": "hardway",
		"app.kubernetes.io/component":  "smoke-test",
	}
}

// namespaceObject leaves the random suffix to the API server, which refuses to
// hand out a name twice.
func namespaceObject(base string) *corev1.Namespace {
	return &corev1.Namespace{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{GenerateName: base + "-", Labels: smokeLabels()},
	}
}

// smokeObjects is the Service and one pod for each place.
func smokeObjects(namespace, image string, places []place, lifetime time.Duration) *corev1.List {
	list := &corev1.List{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "List"},
		Items:    []runtime.RawExtension{{Object: serviceObject(namespace)}},
	}
	for _, p := range places {
		list.Items = append(list.Items, runtime.RawExtension{Object: podObject(namespace, image, p, lifetime)})
	}
	return list
}

func serviceObject(namespace string) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: smokeName, Labels: smokeLabels()},
		Spec: corev1.ServiceSpec{
			Selector: smokeLabels(),
			Ports:    []corev1.ServicePort{{Port: servicePort, TargetPort: intstr.FromInt32(podPort)}},
		},
	}
}

// podObject is a pod that serves netexec on one node, whatever taints that has,
// and that passes the "restricted" Pod Security Standard. Its node is chosen by
// an affinity, as a DaemonSet does it, so that the scheduler has its part in the
// test. If nobody is left to remove it, it ends by itself after its lifetime.
func podObject(namespace, image string, p place, lifetime time.Duration) *corev1.Pod {
	return &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: p.pod, Labels: smokeLabels()},
		Spec: corev1.PodSpec{
			Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
					NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{{
						Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{p.node.Name},
					}}}},
				},
			}},
			Tolerations:                   []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
			ActiveDeadlineSeconds:         new(int64(lifetime / time.Second)),
			TerminationGracePeriodSeconds: new(int64(1)),
			AutomountServiceAccountToken:  new(true), // a missing ca.crt then shows as a pod that does not start
			EnableServiceLinks:            new(false),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot:   new(true),
				RunAsUser:      new(int64(65532)),
				RunAsGroup:     new(int64(65532)),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name:            "netexec",
				Image:           image,
				ImagePullPolicy: corev1.PullIfNotPresent,
				Args:            []string{"netexec", "--http-port=8080"},
				Ports:           []corev1.ContainerPort{{ContainerPort: podPort}},
				Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
					corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("16Mi"),
				}},
				ReadinessProbe: &corev1.Probe{
					ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
						Path: "/hostname", Port: intstr.FromInt32(podPort),
					}},
					PeriodSeconds: 1, TimeoutSeconds: 5,
				},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: new(false),
					ReadOnlyRootFilesystem:   new(true),
					Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
}
