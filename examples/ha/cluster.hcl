# Three masters and two nodes on machines of your own, behind an address for the API that you already have: a load
# balancer, or a DNS name with several addresses. hardway does not make that address, it only uses it.

variable "ssh_user" {
  type        = string
  default     = "root"
  description = "Who logs in. Anybody but root becomes root with sudo."
}

variable "ssh_key" {
  type        = string
  default     = "~/.ssh/id_ed25519"
  description = "The private key to log in with."
}

variable "known_hosts" {
  type        = string
  default     = "~/.ssh/known_hosts"
  description = "Where the hosts' keys are. A host that is not in there is refused."
}

cluster "ha" {
  kubernetes_version = "1.37.1"
  pod_cidr           = "10.32.0.0/14"
  node_prefix        = 23 # 509 addresses for the pods of each host
  service_cidr       = "10.36.0.0/20"
  dns_domain         = "ha.example.internal"
}

ssh {
  user        = var.ssh_user
  private_key = var.ssh_key
  known_hosts = var.known_hosts
}

# The name has dots, so DNS must know it on every host. It goes into the API server's certificate, into the nodes'
# kubeconfigs and into what `hardway kubeconfig` prints.
api "external" {
  host       = "api.ha.example.internal"
  port       = 6443
  extra_sans = ["kubernetes.example.com", "10.20.0.10"]
}

network "bridge" {} # all hosts on one network; see docs/reference/language.md

kube_proxy {
  mode = "nftables"
}

output "endpoint" {
  value       = cluster.api_url
  description = "Where kubectl connects."
}

output "hosts" {
  value = merge(
    { for name, m in master : name => m.address },
    { for name, n in node : name => n.address },
  )
}
