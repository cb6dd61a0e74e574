package audit

// people and policies are about what stands in the API and about who uses it:
// the cluster's own people decide them. What hardway makes itself is decided.

func people() []Check {
	return byHand(
		Check{ID: "3.1.1", Title: "People do not authenticate by client certificates",
			Fix: "hardway kubeconfig makes certificates of 30 days, for administrators. For everybody else set apiserver.flags[\"oidc-issuer-url\"], or authentication-config."},
		Check{ID: "3.1.2", Title: "People do not authenticate by service account tokens", Fix: "Look for tokens of service accounts in people's kubeconfigs."},
		Check{ID: "3.1.3", Title: "People do not authenticate by bootstrap tokens", Fix: "hardway makes no bootstrap tokens. Look for secrets of the type bootstrap.kubernetes.io/token in kube-system."},
	)
}

func policies() []Check {
	list := byHand(
		Check{ID: "5.1.1", Title: "cluster-admin is used only where required", Fix: "hardway binds it to the group hardway:cluster-admins. Look at the others: kubectl get clusterrolebindings -o wide"},
		Check{ID: "5.1.2", Title: "Access to secrets is minimized", Fix: "Look at roles with get, list or watch on secrets."},
		Check{ID: "5.1.3", Title: "Roles do not use wildcards", Fix: "Look at roles with \"*\" in their rules."},
		Check{ID: "5.1.4", Title: "Access to create pods is minimized", Fix: "Look at roles with create on pods."},
		Check{ID: "5.1.5", Title: "Default service accounts are not used", Fix: "Set automountServiceAccountToken: false on the service account default of each namespace."},
		Check{ID: "5.1.6", Title: "Service account tokens are mounted only where necessary", Fix: "Set automountServiceAccountToken: false on pods that do not ask the API."},
		Check{ID: "5.1.7", Title: "The group system:masters is avoided", rule: noMasters(), Fix: leave},
		Check{ID: "5.1.8", Title: "Bind, impersonate and escalate are limited", Fix: "Look at roles with these verbs."},
		Check{ID: "5.1.9", Title: "Access to create persistent volumes is minimized", Fix: "Look at roles with create on persistentvolumes."},
		Check{ID: "5.1.10", Title: "Access to the proxy of nodes is minimized", Fix: "Look at roles on nodes/proxy. hardway gives system:kubelet-api-admin to the API server alone."},
		Check{ID: "5.1.11", Title: "Access to the approval of certificate requests is minimized", Fix: "Look at roles on certificatesigningrequests/approval."},
		Check{ID: "5.1.12", Title: "Access to webhook configurations is minimized", Fix: "Look at roles on validatingwebhookconfigurations and mutatingwebhookconfigurations."},
		Check{ID: "5.1.13", Title: "Access to the creation of service account tokens is minimized", Fix: "Look at roles with create on serviceaccounts/token."},
		Check{ID: "5.2.1", Title: "A policy mechanism for pods is active", Fix: "Label namespaces with pod-security.kubernetes.io/enforce."},
	)
	const enforce = "The label pod-security.kubernetes.io/enforce=baseline on a namespace refuses them."
	for _, c := range []Check{
		{ID: "5.2.2", Title: "Privileged containers are not admitted", Fix: enforce}, {ID: "5.2.3", Title: "Containers do not share the host's process ids", Fix: enforce},
		{ID: "5.2.4", Title: "Containers do not share the host's IPC", Fix: enforce}, {ID: "5.2.5", Title: "Containers do not share the host's network", Fix: enforce},
		{ID: "5.2.6", Title: "Containers do not escalate privileges", Fix: restricted}, {ID: "5.2.7", Title: "Containers do not run as root", Level: 2, Fix: restricted},
		{ID: "5.2.8", Title: "Containers do not have the capability NET_RAW", Fix: restricted}, {ID: "5.2.9", Title: "Containers have no capabilities", Level: 2, Fix: restricted},
		{ID: "5.2.10", Title: "Windows HostProcess containers are not admitted", Fix: enforce}, {ID: "5.2.11", Title: "HostPath volumes are not admitted", Fix: enforce},
		{ID: "5.2.12", Title: "Containers do not use host ports", Fix: enforce},
		{ID: "5.3.1", Title: "The network supports NetworkPolicies", Fix: "network \"bridge\" does not. With network \"none\" install one that does."},
		{ID: "5.3.2", Title: "All namespaces have NetworkPolicies", Level: 2, Fix: "Look at kubectl get networkpolicies -A."},
		{ID: "5.4.1", Title: "Secrets are files rather than environment variables", Level: 2, Fix: "Look at the env and envFrom of pods."},
		{ID: "5.4.2", Title: "Secrets are kept outside of the cluster", Level: 2, Fix: "Consider a store of secrets of its own."},
		{ID: "5.5.1", Title: "The provenance of images is verified", Level: 2, Fix: "Consider the admission plugin ImagePolicyWebhook, or a policy engine."},
		{ID: "5.6.1", Title: "Namespaces separate what belongs to different people", Fix: "Look at kubectl get namespaces."},
		{ID: "5.6.2", Title: "Pods have a seccomp profile", Level: 2, Fix: "hardway's kubelets give every pod RuntimeDefault (4.2.14). Look for pods with Unconfined."},
		{ID: "5.6.3", Title: "Pods and containers have a security context", Level: 2, Fix: "Look at the securityContext of pods."},
		{ID: "5.6.4", Title: "The namespace default is not used", Level: 2, Fix: "Look at kubectl get all -n default."},
	} {
		list = append(list, byHand(c)...)
	}
	return list
}

const restricted = "The label pod-security.kubernetes.io/enforce=restricted on a namespace refuses them."

func byHand(list ...Check) []Check {
	for i := range list {
		if list[i].Level == 0 {
			list[i].Level = 1
		}
	}
	return list
}
