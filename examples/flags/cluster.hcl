# What can be set on each component, for all hosts and for one. A flag or a field that the chosen version does not have
# is an error of `hardway validate`, with the line and the nearest name that there is.

variable "ssh_key" {
  type    = string
  default = "~/.ssh/id_ed25519"
}

variable "known_hosts" {
  type    = string
  default = "~/.ssh/known_hosts"
}

cluster "flags" {
  kubernetes_version = "1.37.1"
  pod_cidr           = "10.64.0.0/16"
  service_cidr       = "10.65.0.0/16"
}

ssh {
  user        = "root"
  private_key = var.ssh_key
  known_hosts = var.known_hosts
}

# For all hosts: flags are the command line, config is the component's config file.

etcd {
  flags = {
    quota-backend-bytes       = 4294967296
    auto-compaction-mode      = "periodic"
    auto-compaction-retention = "1h"
  }
}

apiserver {
  flags = {
    event-ttl                = "2h"
    enable-admission-plugins = ["DenyServiceExternalIPs", "AlwaysPullImages"] # NodeRestriction stays on
    audit-log-maxage         = 90
  }
}

controller_manager {
  flags = { node-monitor-grace-period = "30s" }
}

scheduler {
  flags  = { v = 2 }
  config = { percentageOfNodesToScore = 50 }
}

kubelet {
  config = {
    maxPods        = 150
    systemReserved = { cpu = "200m", memory = "256Mi" }
    evictionHard   = { "memory.available" = "200Mi" }
  }
}

kube_proxy {
  mode   = "nftables"
  config = { nftables = { syncPeriod = "30s" } }
}

runtime "containerd" {
  config = { max_container_log_line_size = 32768 }
}

host {
  swap    = "off"
  sysctl  = { "vm.max_map_count" = 262144, "net.core.somaxconn" = 4096 }
  modules = ["nvme_tcp"]
}

# Where things stand on the hosts.

directories {
  bin  = "/opt/kubernetes/bin"
  cni  = "/opt/kubernetes/cni"
  conf = "/srv/kubernetes"
  cert = "/srv/kubernetes/pki"
  log  = "/srv/log/kubernetes"
  data = "/srv/data"
}

pki {
  algorithm            = "ecdsa-p384"
  certificate_validity = "2160h" # 90 days
  renew_before         = "720h"
}
