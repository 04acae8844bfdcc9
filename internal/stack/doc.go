// Package stack holds template.yaml to the program by tests: rights, tables, queues, variables, endpoints and metrics of the
// one are those of the other.
package stack
