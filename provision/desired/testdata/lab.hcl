# One master, two nodes, and what hosts that are containers need.

cluster "lab" {
  kubernetes_version = "1.37.1"
  pod_cidr           = "10.244.0.0/16"
  service_cidr       = "10.96.0.0/16"
  dns_domain         = "cluster.local"
}

ssh {
  user        = "vagrant"
  private_key = "id_ed25519"
  known_hosts = "known_hosts"

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
  config              = { restrict_oom_score_adj = true }
  images = {
    "hardway.local/pause:1"   = "pause.tar"
    "hardway.local/agnhost:1" = "agnhost.tar"
  }
}

kubelet {
  config = {
    failCgroupV1 = false
    failSwapOn   = false
    cgroupDriver = "cgroupfs"
  }
}

kube_proxy {
  mode   = "iptables"
  config = { conntrack = { maxPerCore = 0, min = 0 } }
}

network "bridge" {}

host {
  swap = "ignore"
}

binaries {
  source = "mirror"
}

verify {
  image = "hardway.local/agnhost:1"
}
