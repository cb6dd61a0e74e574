# For one host: what stands here is laid over what stands at the top of a file.

master "m1" {
  address = "10.66.0.11"

  apiserver {
    flags = { v = 4 } # more to read on this master alone
  }
}

node "gpu1" {
  address = "10.66.0.21"
  labels  = { tier = "gold", "example.com/accelerator" = "h100" }
  taints  = ["dedicated=gpu:NoSchedule"]

  kubelet {
    config = {
      maxPods      = 30                            # instead of 150
      evictionHard = { "nodefs.available" = "5%" } # beside memory.available
    }
  }

  runtime "containerd" {
    config = { max_container_log_line_size = null } # null takes back what the cluster sets
  }
}

node "plain1" {
  address = "10.66.0.22"

  kubelet {
    config = { systemReserved = null } # none on this host
  }
}
