// Package ecs stands in for the provider that asks Amazon's clouds.
package ecs

import (
	"errors"

	"github.com/traefik/traefik/v3/pkg/config/dynamic"
	"github.com/traefik/traefik/v3/pkg/safe"
)

// ProviderName is the provider's name in the configuration.
const ProviderName = "ecs"

// Provider has no settings.
type Provider struct{}

// Init refuses to be used.
func (p *Provider) Init() error {
	return errors.New("the lab's Traefik has no provider for ECS")
}

// Provide provides nothing.
func (p *Provider) Provide(chan<- dynamic.Message, *safe.Pool) error {
	return nil
}
