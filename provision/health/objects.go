package health

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// ComponentStatusLimits is what a reader of the componentstatuses table should know.
const ComponentStatusLimits = "componentstatuses is deprecated since Kubernetes 1.19: it asks the controller-manager and the " +
	"scheduler at 127.0.0.1 of the answering API server's host only, and etcd with the API server's credentials"

// nodesAtOnce is the length of a page of the node list. A Node takes up to 30 kB,
// and an answer is cut at 4 MiB.
// nodePages ends a list that does not end: Kubernetes itself stops at 5000 nodes.
const (
	nodesAtOnce = "50"
	nodePages   = 200
)

// componentStatuses reads what `kubectl get componentstatuses` shows, in order of
// name: the API server's own order changes from call to call.
func componentStatuses(ctx context.Context, a *api) ([]ComponentStatus, error) {
	var list corev1.ComponentStatusList
	if err := a.get(ctx, "/api/v1/componentstatuses", &list); err != nil {
		return nil, err
	}
	return componentRows(list), nil
}

// componentRows follows kubectl's printer, column by column.
func componentRows(list corev1.ComponentStatusList) []ComponentStatus {
	rows := make([]ComponentStatus, 0, len(list.Items))
	for _, item := range list.Items {
		row := ComponentStatus{Name: clean(item.Name), Status: "Unknown"}
		for _, c := range item.Conditions {
			if c.Type != corev1.ComponentHealthy {
				continue
			}
			row.Status = "Unhealthy"
			if c.Status == corev1.ConditionTrue {
				row.Status = componentHealthy
			}
			row.Message, row.Error = clean(c.Message), clean(c.Error)
			break
		}
		rows = append(rows, row)
	}
	slices.SortStableFunc(rows, func(a, b ComponentStatus) int { return strings.Compare(a.Name, b.Name) })
	return rows
}

// componentHealthy is what the STATUS column says of a healthy component.
const componentHealthy = "Healthy"

// nodeStatuses reads what `kubectl get nodes -o wide` shows, in order of name.
func nodeStatuses(ctx context.Context, a *api) ([]NodeStatus, error) {
	var rows []NodeStatus
	query := url.Values{"limit": {nodesAtOnce}}
	for pages := 1; ; pages++ {
		var page corev1.NodeList
		if err := a.get(ctx, "/api/v1/nodes?"+query.Encode(), &page); err != nil {
			return nil, err
		}
		for i := range page.Items {
			rows = append(rows, nodeRow(&page.Items[i]))
		}
		if page.Continue == "" {
			break
		}
		if pages == nodePages {
			return nil, &AnswerError{Answer: fmt.Sprintf("the list of nodes does not end after %d pages", pages)}
		}
		query.Set("continue", page.Continue)
	}
	slices.SortStableFunc(rows, func(a, b NodeStatus) int { return strings.Compare(a.Name, b.Name) })
	return rows, nil
}

// Labels that make a role, as kubectl's printer reads them.
const (
	roleLabelPrefix = "node-role.kubernetes.io/"
	roleLabel       = "kubernetes.io/role"
)

// nodeRow sums up one Node. Reason says why it is not Ready or, when it is, that
// it takes no new pods.
func nodeRow(n *corev1.Node) NodeStatus {
	row := NodeStatus{
		Name:    clean(n.Name),
		Reason:  "the kubelet has not reported yet",
		Version: clean(n.Status.NodeInfo.KubeletVersion),
		Runtime: clean(n.Status.NodeInfo.ContainerRuntimeVersion),
	}
	for _, c := range n.Status.Conditions {
		if c.Type != corev1.NodeReady {
			continue
		}
		row.Ready = c.Status == corev1.ConditionTrue
		row.Reason = clean(c.Reason + ": " + c.Message)
		break
	}
	if row.Ready {
		row.Reason = ""
		if n.Spec.Unschedulable {
			row.Reason = "SchedulingDisabled"
		}
	}
	for label, value := range n.Labels {
		role, ok := strings.CutPrefix(label, roleLabelPrefix)
		if label == roleLabel {
			role, ok = value, true
		}
		if role = clean(role); ok && role != "" {
			row.Roles = append(row.Roles, role)
		}
	}
	slices.Sort(row.Roles)
	row.Roles = slices.Compact(row.Roles)
	for _, address := range n.Status.Addresses {
		if address.Type == corev1.NodeInternalIP {
			row.Address = clean(address.Address)
			break
		}
	}
	return row
}
