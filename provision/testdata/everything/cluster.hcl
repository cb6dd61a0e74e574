# Every block that there is, with something else in it than the default, at the top and on a host.

variable "tier" {
  type    = string
  default = "gold"
}

cluster "everything" {
  kubernetes_version = "1.37.1"
  pod_cidr           = "10.100.0.0/14"
  node_prefix        = 23
  service_cidr       = "10.104.0.0/20"
  dns_domain         = "example.internal"
}

ssh {
  user            = "ops"
  private_key     = "id_ed25519"
  known_hosts     = "known_hosts"
  connect_timeout = "5s"

  become {
    method = "sudo"
  }
}

master "m1" {
  address = "192.168.10.21"
  labels  = { "example.com/rack" = "a" }

  apiserver { flags = { v = 4 } }
  etcd { flags = { snapshot-count = 20000 } }
}

node "n1" {
  address = "192.168.10.31"
  labels  = { tier = var.tier }
  taints  = ["dedicated=gpu:NoSchedule", "example.com/slow:PreferNoSchedule"]

  kubelet { config = { maxPods = 200 } }
  kube_proxy { config = { nftables = { syncPeriod = "10s" } } }
  runtime "containerd" { config = { max_container_log_line_size = 8192 } }
}

api "external" {
  host       = "k8s-master"
  port       = 7443
  extra_sans = ["master.k8s.example.com"]
}

etcd { flags = { quota-backend-bytes = 4294967296 } }
apiserver { flags = { event-ttl = "2h" } }
controller_manager { flags = { node-monitor-grace-period = "30s" } }

scheduler {
  config = { percentageOfNodesToScore = 50 }
}

kubelet {
  config = { systemReserved = { cpu = "200m" } }
}

kube_proxy {
  mode   = "nftables"
  config = { nftables = { syncPeriod = "20s" } }
}

network "bridge" {}

runtime "containerd" {
  sandbox_image = "registry.example.com/pause:1"
  images        = { "registry.example.com/pause:1" = "mirror/images/pause.tar" }
  config        = { max_container_log_line_size = 32768 }
}

directories {
  bin  = "/opt/k/bin"
  cert = "/srv/k/pki"
  conf = "/srv/k"
  log  = "/srv/log/k"
  data = "/srv/data"
  cni  = "/opt/k/cni"
}

host {
  swap    = "off"
  sysctl  = { "vm.max_map_count" = "262144" }
  modules = ["nvme_tcp"]
}

binaries {
  source = "mirror"
  cache  = "cache"
}

pki {
  algorithm            = "ecdsa-p384"
  certificate_validity = "2160h"
  ca_validity          = "43800h"
  renew_before         = "240h"
  csr_signing          = false
}

verify {
  image = ""
}

output "endpoint" { value = cluster.api_url }
