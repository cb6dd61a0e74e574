# One master and one node: the smallest cluster in which one host needs another.

cluster "one" {
  kubernetes_version = "1.37.1"
  pod_cidr           = "10.244.0.0/16"
  service_cidr       = "10.96.0.0/16"
}

ssh {
  user        = "root"
  private_key = "id_ed25519"
  known_hosts = "known_hosts"
}

master "m1" {
  address = "192.168.10.21"
}

node "n1" {
  address = "192.168.10.31"
}

runtime "containerd" {
  sandbox_image = "hardway.local/pause:1"
  images        = { "hardway.local/pause:1" = "mirror/images/pause.tar" }
}

network "bridge" {}

kube_proxy {
  mode = "nftables"
}

binaries {
  source = "mirror"
  cache  = "cache"
}

verify {
  image = ""
}

output "endpoint" {
  value = cluster.api_url
}
