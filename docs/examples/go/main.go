// A producer in Go: puts tasks of its tenant in, and asks for their results.
//
//	NATS_URL=nats://127.0.0.1:4222 NATS_USER=shop NATS_PASSWORD=… go run .
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

const tenant = 1

type producer struct {
	connection *nats.Conn
	broker     jetstream.JetStream
}

type record struct {
	State  string          `json:"state"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

// enqueue returns once the broker has the task; a repetition with the same message id is stored once.
func (p producer) enqueue(ctx context.Context, id string, payload any, headers nats.Header) (*jetstream.PubAck, error) {
	body, err := json.Marshal(payload)
	if err != nil {
		return nil, err
	}
	message := nats.NewMsg(fmt.Sprintf("stratum.tasks.sync.normal.%d.sync_campaign_data.%s", tenant, id))
	message.Data = body
	for name, values := range headers {
		message.Header[name] = values
	}
	return p.broker.PublishMsg(ctx, message, jetstream.WithMsgID(id))
}

// result is the record of a task: once it has ended, or as it is after the wait.
func (p producer) result(id string, wait time.Duration) (record, error) {
	question := fmt.Sprintf(`{"wait":%g}`, wait.Seconds())
	reply, err := p.connection.Request(fmt.Sprintf("stratum.await.%d.%s", tenant, id), []byte(question), wait+5*time.Second)
	if err != nil {
		return record{}, err
	}
	if reply.Header.Get("Nats-Service-Error-Code") != "" {
		return record{}, fmt.Errorf("%s", reply.Header.Get("Nats-Service-Error"))
	}
	var found record
	return found, json.Unmarshal(reply.Data, &found)
}

func run() error {
	url := os.Getenv("NATS_URL")
	if url == "" {
		url = nats.DefaultURL
	}
	var options []nats.Option
	if user := os.Getenv("NATS_USER"); user != "" {
		// Replies come to the user's own inbox, the only subject that it may subscribe to.
		options = append(options, nats.UserInfo(user, os.Getenv("NATS_PASSWORD")), nats.CustomInboxPrefix("_INBOX."+user))
	}
	connection, err := nats.Connect(url, options...)
	if err != nil {
		return err
	}
	defer connection.Close()
	broker, err := jetstream.New(connection)
	if err != nil {
		return err
	}
	p := producer{connection, broker}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	payload := map[string]any{"tenant_id": tenant, "platform": "meta"}
	id := nuid.Next()
	if _, err := p.enqueue(ctx, id, payload, nil); err != nil {
		return err
	}
	again, err := p.enqueue(ctx, id, payload, nil)
	if err != nil {
		return err
	}
	fmt.Println("enqueued", id, "again:", again.Duplicate)
	ended, err := p.result(id, 30*time.Second)
	if err != nil {
		return err
	}
	fmt.Println("ended", ended.State, string(ended.Result))

	// Unique while it is queued or running, and not before a time in milliseconds since 1970.
	later := nuid.Next()
	inAnHour := strconv.FormatInt(time.Now().Add(time.Hour).UnixMilli(), 10)
	headers := nats.Header{"Task-Not-Before": {inAnHour}, "Nats-Expected-Last-Subject-Sequence": {"0"}}
	if _, err := p.enqueue(ctx, later, payload, headers); err != nil {
		return err
	}
	waiting, err := p.result(later, 0)
	if err != nil {
		return err
	}
	fmt.Println("delayed", waiting.State)
	return nil
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
