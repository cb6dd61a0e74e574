# Written by "hardway init". Commit it: it pins, for everyone who uses this
# configuration, the bytes that are installed. A version that the configuration
# changes is pinned anew by "hardway init"; other bytes under the same version
# are refused until "hardway init --upgrade" accepts them.

binary "etcd" "amd64" {
  version = "3.7.3"
  sha256  = "2e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6"
  size    = 27
  source  = "/srv/mirror/$${odd} \"name\"/etcd-v3.7.3-linux-amd64.tar.gz!etcd-v3.7.3-linux-amd64/etcd"
}

binary "kubelet" "amd64" {
  version = "1.37.1"
  sha256  = "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"
  size    = 84000001
  source  = "https://dl.k8s.io/v1.37.1/bin/linux/amd64/kubelet"
}

binary "kubelet" "arm64" {
  version = "1.37.1"
  sha256  = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
  size    = 84000000
  source  = "https://dl.k8s.io/v1.37.1/bin/linux/arm64/kubelet"
}

image "registry.example.com/pause:3.10" {
  sha256 = "18ac3e7343f016890c510e93f935261169d9e3f565436429830faf0934f4f8e4"
  size   = 512
  source = "/srv/images/pause.tar"
}
