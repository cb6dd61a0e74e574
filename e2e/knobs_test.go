//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
)

// knobs are settings of every component, all of them empty: a test turns one by
// a value for its variable.
const knobs = `
variable "etcd_flags" {
  type    = any
  default = {}
}

variable "apiserver_flags" {
  type    = any
  default = {}
}

variable "controller_manager_flags" {
  type    = any
  default = {}
}

variable "scheduler_flags" {
  type    = any
  default = {}
}

variable "scheduler_settings" {
  type    = any
  default = {}
}

variable "n1_kubelet_settings" {
  type    = any
  default = {}
}

variable "kubelet_flags" {
  type    = any
  default = {}
}

variable "n1_proxy_settings" {
  type    = any
  default = {}
}

variable "proxy_settings" {
  type    = any
  default = {}
}

variable "containerd_settings" {
  type    = any
  default = {}
}

apiserver {
  flags = var.apiserver_flags
}

controller_manager {
  flags = var.controller_manager_flags
}

scheduler {
  flags  = var.scheduler_flags
  config = var.scheduler_settings
}
`

// addKnobs gives the lab's configuration the knobs.
func (l *lab) addKnobs() {
	l.t.Helper()
	if _, err := os.Stat(filepath.Join(l.dir, "knobs.hcl")); err == nil {
		return
	}
	l.write("knobs.hcl", knobs)
	for _, e := range [][2]string{
		{"etcd {\n", "etcd {\n  flags   = var.etcd_flags\n"},
		{"  address  = each.value\n", `  address  = each.value

  kubelet {
    config = { for k, v in var.n1_kubelet_settings : k => v if each.key == "n1" }
  }

  kube_proxy {
    config = { for k, v in var.n1_proxy_settings : k => v if each.key == "n1" }
  }
`},
		{"config = var.kubelet_config", "flags  = var.kubelet_flags\n  config = var.kubelet_config"},
		{"config = var.kube_proxy_config", "config = merge(var.kube_proxy_config, var.proxy_settings)"},
		{"= var.containerd_config", "= merge(var.containerd_config, var.containerd_settings)"},
	} {
		l.edit("cluster.hcl", e[0], e[1])
	}
}

// turn sets knobs, each a name and a value in HCL; without any, all are as they
// were at first.
func (l *lab) turn(settings ...string) {
	l.t.Helper()
	const name = "knobs.auto.hclvars"
	if len(settings) == 0 {
		if err := os.Remove(filepath.Join(l.dir, name)); err != nil && !os.IsNotExist(err) {
			l.t.Fatal(err)
		}
		return
	}
	l.write(name, strings.Join(settings, "\n")+"\n")
}

// write writes a file of the configuration.
func (l *lab) write(name, text string) {
	l.t.Helper()
	if err := os.WriteFile(filepath.Join(l.dir, name), []byte(text), 0o644); err != nil {
		l.t.Fatal(err)
	}
}
