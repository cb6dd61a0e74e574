# A cluster of one master and two nodes on the lab's hosts (./lab.sh up), the same for containers and for virtual
# machines. What only containers need comes from docker.hclvars.

variable "mirror" {
  type        = string
  default     = "~/.cache/hardway/mirror"
  description = "Where tools/cmd/mirror has built the components and the images."
}

variable "swap" {
  type        = string
  default     = "off"
  description = "What to do about swap: off, or ignore it."
}

variable "kubelet_config" {
  type        = any
  default     = {}
  description = "Fields of the KubeletConfiguration."
}

variable "containerd_config" {
  type        = any
  default     = {}
  description = "Settings of containerd."
}

variable "kube_proxy_config" {
  type        = any
  default     = {}
  description = "Fields of the KubeProxyConfiguration."
}

cluster "lab" {
  kubernetes_version = "1.37.1"
  pod_cidr           = "10.244.0.0/16"
  service_cidr       = "10.96.0.0/16"
  dns_domain         = "cluster.local"
}

ssh {
  user        = "vagrant"
  private_key = ".lab/id_ed25519"
  known_hosts = ".lab/known_hosts"

  become {
    method = "sudo"
  }
}

master "m1" {
  address = "192.168.56.11"
}

node "n" {
  for_each = { n1 = "192.168.56.21", n2 = "192.168.56.22" }
  address  = each.value
}

etcd {
  version = "3.7.3"
}

runtime "containerd" {
  version             = "2.4.2"
  runc_version        = "1.1.5"
  cni_plugins_version = "1.9.1"
  sandbox_image       = "hardway.local/pause:1"
  config              = var.containerd_config

  # Imported from archives, so that the lab needs no image registry.
  images = {
    "hardway.local/pause:1"   = "${var.mirror}/images/pause.tar"
    "hardway.local/agnhost:1" = "${var.mirror}/images/agnhost.tar"
  }
}

kubelet {
  config = var.kubelet_config
}

kube_proxy {
  mode   = "iptables"
  config = var.kube_proxy_config
}

network "bridge" {}

host {
  swap = var.swap
}

binaries {
  source = var.mirror
}

verify {
  image = "hardway.local/agnhost:1"
}

output "endpoint" {
  value = cluster.api_url
}
