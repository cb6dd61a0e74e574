# The key of for_each is the host's name, and the name of its Node. Removing an entry never renames another.

locals {
  masters = {
    cp1 = "10.20.0.11"
    cp2 = "10.20.0.12"
    cp3 = "10.20.0.13"
  }

  nodes = {
    big   = { address = "10.20.0.21", tier = "gold", pods = 250 }
    small = { address = "10.20.0.22", tier = "silver", pods = 60 }
  }
}

master "cp" {
  for_each = local.masters
  address  = each.value
}

node "worker" {
  for_each = local.nodes
  address  = each.value.address
  labels   = { tier = each.value.tier }

  kubelet {
    config = { maxPods = each.value.pods }
  }
}
