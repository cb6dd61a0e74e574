# Three masters and two nodes, each of two architectures, behind a name.

cluster "prod" {
  kubernetes_version = "1.36.3"
  pod_cidr           = "10.200.0.0/16"
  service_cidr       = "10.32.0.0/20"
  dns_domain         = "cluster.local"
}

ssh {
  user        = "root"
  private_key = "id_ed25519"
  known_hosts = "known_hosts"
}

locals {
  masters = {
    m1 = { ip = "192.168.10.21", arch = "amd64" }
    m2 = { ip = "192.168.10.22", arch = "arm64" }
    m3 = { ip = "192.168.10.23", arch = "amd64" }
  }
}

master "m" {
  for_each = local.masters
  address  = each.value.ip
  arch     = each.value.arch
}

node "n1" {
  address = "192.168.10.31"
  labels  = { tier = "gold" }
  taints  = ["dedicated=gpu:NoSchedule"]

  kubelet {
    config = { maxPods = 200 }
  }
}

node "n2" {
  address = "192.168.10.32"
  arch    = "arm64"
}

api "external" {
  host       = "api.example.com"
  extra_sans = ["master.k8s.example.com"]
}

etcd {
  version = "3.6.16"
}

apiserver {
  flags = { "event-ttl" = "2h" }
}

kube_proxy {
  mode = "nftables"
}

network "bridge" {}

host {
  sysctl  = { "vm.max_map_count" = "262144" }
  modules = ["dummy"]
}

binaries {
  source = "https://example.com/dist"
}

verify {
  image = ""
}
