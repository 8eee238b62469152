module example.com/stratum-producer

go 1.24

require (
	github.com/nats-io/nats.go v1.54.0
	github.com/nats-io/nuid v1.0.1
)
