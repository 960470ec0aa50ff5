// Package ext stands in for a module that Traefik keeps inside its own repository: the two empty places for extensions of its configuration.
package ext

// HTTP extends the HTTP part of the dynamic configuration with nothing.
type HTTP struct{}

// Router extends a router with nothing.
type Router struct{}
