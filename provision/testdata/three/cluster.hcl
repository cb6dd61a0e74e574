# Three masters and two nodes, of two architectures, behind a name.

cluster "three" {
  kubernetes_version = "1.36.3"
  pod_cidr           = "10.200.0.0/16"
  service_cidr       = "10.32.0.0/20"
}

ssh {
  user        = "root"
  private_key = "id_ed25519"
  known_hosts = "known_hosts"
}

master "m" {
  for_each = {
    m1 = { address = "192.168.10.21", arch = "amd64" }
    m2 = { address = "192.168.10.22", arch = "arm64" }
    m3 = { address = "192.168.10.23", arch = "amd64" }
  }
  address = each.value.address
  arch    = each.value.arch
}

node "n1" {
  address = "192.168.10.31"
}

node "n2" {
  address = "192.168.10.32"
  arch    = "arm64"
}

api "external" {
  host = "api.example.com"
}

kube_proxy {
  mode = "nftables"
}

network "bridge" {}

binaries {
  source = "mirror"
  cache  = "cache"
}
