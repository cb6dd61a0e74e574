# The cluster of the scripts in ../cluster.

cluster "lab" {
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

etcd {
  version = "3.7.3"
}

runtime "containerd" {
  version             = "2.3.7"
  runc_version        = "1.4.3"
  cni_plugins_version = "1.9.1"
}

network "bridge" {}

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
