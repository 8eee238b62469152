// A producer in Go: puts tasks of its tenant in, and asks for their results.
//
//	go mod tidy
//	NATS_URL=nats://127.0.0.1:4222 NATS_USER=shop NATS_PASSWORD=… go run .
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
)

const tenant = 1

type producer struct {
	connection *nats.Conn
}

type enqueued struct {
	ID        string `json:"id"`
	State     string `json:"state"`
	Duplicate bool   `json:"duplicate"`
}

type record struct {
	State  string          `json:"state"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

// ask asks a service; an answer that says what is wrong becomes an error.
func (p producer) ask(message *nats.Msg, wait time.Duration, answer any) error {
	reply, err := p.connection.RequestMsg(message, wait)
	if err != nil {
		return err
	}
	if reply.Header.Get("Nats-Service-Error-Code") != "" {
		return fmt.Errorf("%s", reply.Header.Get("Nats-Service-Error"))
	}
	return json.Unmarshal(reply.Data, answer)
}

// enqueue returns once the task is stored; a repetition with the same id is stored once.
func (p producer) enqueue(id string, payload any, headers nats.Header) (enqueued, error) {
	var answer enqueued
	body, err := json.Marshal(payload)
	if err != nil {
		return answer, err
	}
	message := nats.NewMsg(fmt.Sprintf("stratum.enqueue.%d.sync.normal.sync_campaign_data.%s", tenant, id))
	message.Data = body
	for name, values := range headers {
		message.Header[name] = values
	}
	err = p.ask(message, 10*time.Second, &answer)
	return answer, err
}

// result is the record of a task: once it has ended, or as it is after the wait.
func (p producer) result(id string, wait time.Duration) (record, error) {
	var answer record
	message := nats.NewMsg(fmt.Sprintf("stratum.await.%d.%s", tenant, id))
	message.Data = fmt.Appendf(nil, `{"wait":%g}`, wait.Seconds())
	err := p.ask(message, wait+5*time.Second, &answer)
	return answer, err
}

func run() error {
	url := os.Getenv("NATS_URL")
	if url == "" {
		url = nats.DefaultURL
	}
	var options []nats.Option
	if user := os.Getenv("NATS_USER"); user != "" {
		options = append(options, nats.UserInfo(user, os.Getenv("NATS_PASSWORD")))
	}
	connection, err := nats.Connect(url, options...)
	if err != nil {
		return err
	}
	defer connection.Close()
	p := producer{connection}

	payload := map[string]any{"tenant_id": tenant, "platform": "meta"}
	order := nuid.Next()
	first, err := p.enqueue(order, payload, nil)
	if err != nil {
		return err
	}
	again, err := p.enqueue(order, payload, nil)
	if err != nil {
		return err
	}
	fmt.Println("enqueued", first.ID, "again:", again.Duplicate)
	ended, err := p.result(first.ID, 30*time.Second)
	if err != nil {
		return err
	}
	fmt.Println("ended", ended.State, string(ended.Result))

	// Not before a time in milliseconds since 1970.
	inAnHour := strconv.FormatInt(time.Now().Add(time.Hour).UnixMilli(), 10)
	later, err := p.enqueue(nuid.Next(), payload, nats.Header{"Task-Not-Before": {inAnHour}})
	if err != nil {
		return err
	}
	fmt.Println("delayed", later.State)
	return nil
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
