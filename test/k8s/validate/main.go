// Validate reads Kubernetes objects from standard input, and takes each strictly as the type that Kubernetes publishes for it: a field
// that does not exist, or exists twice, or has another type, is a fault. It prints what it has read, one object a line.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	documents "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

func typeOf(kind string) any {
	switch kind {
	case "apps/v1 Deployment":
		return &apps.Deployment{}
	case "apps/v1 StatefulSet":
		return &apps.StatefulSet{}
	case "autoscaling/v2 HorizontalPodAutoscaler":
		return &autoscaling.HorizontalPodAutoscaler{}
	case "monitoring.coreos.com/v1 PrometheusRule":
		return &monitoring.PrometheusRule{}
	case "monitoring.coreos.com/v1 ServiceMonitor":
		return &monitoring.ServiceMonitor{}
	case "networking.k8s.io/v1 NetworkPolicy":
		return &networking.NetworkPolicy{}
	case "policy/v1 PodDisruptionBudget":
		return &policy.PodDisruptionBudget{}
	case "v1 ConfigMap":
		return &core.ConfigMap{}
	case "v1 Service":
		return &core.Service{}
	case "v1 ServiceAccount":
		return &core.ServiceAccount{}
	}
	return nil
}

func validate(document []byte) (string, error) {
	var head struct {
		meta.TypeMeta   `json:",inline"`
		meta.ObjectMeta `json:"metadata"`
	}
	if err := yaml.Unmarshal(document, &head); err != nil {
		return "", err
	}
	kind := head.APIVersion + " " + head.Kind
	object := typeOf(kind)
	if object == nil {
		return "", fmt.Errorf("%s is of no type that is known here", kind)
	}
	if err := yaml.UnmarshalStrict(document, object); err != nil {
		return "", fmt.Errorf("%s %s: %w", kind, head.Name, err)
	}
	return kind + " " + head.Name, nil
}

func main() {
	reader := documents.NewYAMLReader(bufio.NewReader(os.Stdin))
	failed := false
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			var name string
			if name, err = validate(document); err == nil {
				fmt.Println(name)
				continue
			}
		}
		fmt.Fprintln(os.Stderr, err)
		failed = true
		break
	}
	if failed {
		os.Exit(1)
	}
}
