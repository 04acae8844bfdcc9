package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/types"

	"pesan/internal/httpapi"
	"pesan/internal/sim"
)

// System is a Pesan that reaches a simulated WhatsApp, with an account of its own to be tested.
type System struct {
	*Client
	WhatsApp *sim.Server
	Phone    *sim.Phone
	Friends  []*sim.Contact
	Device   *sim.Device // once it is linked
	// PairingCode linked it.
	PairingCode string
	// Kill ends the host at once and starts another; nil where that can't be done.
	Kill func(context.Context) error
	// NoFiles says that there is nothing to keep the files of messages in.
	NoFiles bool
	// NoAssistants says that /mcp isn't served.
	NoAssistants bool
}

// number of the phone; of its friends the next.
const number = 6281200000001

// Populate makes a phone with friends, and some messages of each that the phone has before it links a device.
func Populate(server *sim.Server, friends int) (*sim.Phone, []*sim.Contact, error) {
	phone, err := server.NewPhone(strconv.Itoa(number), sim.PhoneOptions{PushName: "Sari"})
	if err != nil {
		return nil, nil, err
	}
	all := make([]*sim.Contact, friends)
	for i := range all {
		if all[i], err = server.NewContact(strconv.Itoa(number+1+i), "", fmt.Sprint("Teman ", i+1)); err != nil {
			return nil, nil, err
		}
	}
	return phone, all, nil
}

// AddDevice adds a device and makes its key the client's.
func (s *System) AddDevice(ctx context.Context) error {
	answer, err := s.Call(ctx, "addDevice", "secret", s.Secret, "name", "e2e")
	if err != nil {
		return err
	}
	var device struct {
		APIKey string `json:"apiKey"`
	}
	if err := unmarshal(answer.Data, &device); err != nil || answer.Status != http.StatusOK {
		return fmt.Errorf("addDevice answers %d %s: %v", answer.Status, answer.Error, err)
	}
	s.Key = device.APIKey
	return nil
}

// Link links the phone by a pairing code and waits until the device is connected.
func (s *System) Link(ctx context.Context) error {
	if answer, err := s.Call(ctx, "serviceStart"); err != nil || answer.Status >= 300 {
		return fmt.Errorf("serviceStart answers %d %s: %v", answer.Status, answer.Error, err)
	}
	var code struct {
		PairingCode string `json:"pairingCode"`
	}
	err := Until(ctx, "a pairing code", func() (bool, error) {
		_, err := s.Get(ctx, &code, "getQR", "phone", s.Phone.PN().User)
		return code.PairingCode != "", err
	})
	if err != nil {
		return err
	}
	s.PairingCode = code.PairingCode
	if s.Device, err = s.Phone.EnterCode(ctx, s.PairingCode); err != nil {
		return fmt.Errorf("enter code: %w", err)
	}
	return s.Connected(ctx)
}

// Connected waits until the device is.
func (s *System) Connected(ctx context.Context) error {
	return Until(ctx, "the connection", func() (bool, error) {
		state, err := s.State(ctx)
		return state.State == "CONNECTED" && s.Device.Online(), err
	})
}

// lag bounds how late getState may show what has happened: on AWS it reads what was a moment ago, for half the price.
const lag = 5 * time.Second

// Shows waits until getState shows a state.
func (s *System) Shows(ctx context.Context, ok func(State) bool) error {
	ctx, cancel := context.WithTimeout(ctx, lag)
	defer cancel()
	return Until(ctx, "a state", func() (bool, error) {
		state, err := s.State(ctx)
		if err == nil && !ok(state) {
			err = fmt.Errorf("it is %+v", state)
		}
		return err == nil, err
	})
}

func off(state State) bool { return state.State == "SERVICE_OFF" }

// T is what a step reports to: a test, or the program that runs the suite. Fatal and Fatalf end the step.
type T interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Step is a part of the suite.
type Step struct {
	Name string
	Do   func(context.Context, T, *System)
}

// Steps are what every Pesan must be able to do, in turn, with a system whose device isn't linked yet.
func Steps() []Step {
	return []Step{
		{"Doors", doors}, {"Link", link}, {"Receive", receive}, {"Mute", mute}, {"Batch", batch}, {"Clear", clearChat},
		{"Report", report}, {"Assistant", assistant},
		{"Every", every}, {"News", news}, {"Webhook", webhook}, {"Files", files}, {"Reconnect", reconnect}, {"Unlink", unlink},
	}
}

// doors checks of every endpoint that it is there, and that it opens to nobody without the right key or secret.
func doors(ctx context.Context, t T, s *System) {
	stranger := *s.Client
	stranger.Key, stranger.Secret = "", ""
	wrong := "pk_01JNGKX0T0AAAAAAAAAAAAAAAA_" + strings.Repeat("a", 52)
	for _, e := range httpapi.Endpoints(httpapi.Deps{}) {
		credential := e.Auth.Credential()
		for given, want := range map[string]string{"": "MISSING_", "nonsense": "INVALID_", wrong: "INVALID_"} {
			answer, err := stranger.Call(ctx, e.Name, credential, given, "phone", s.Phone.PN().User, "id", "x", "name", "x")
			must(t, err)
			if answer.Status != http.StatusUnauthorized || answer.Code != answer.Status ||
				!strings.HasPrefix(answer.Error, want) {
				t.Errorf("%s with the %s %q answers %d %s", e.Name, credential, given, answer.Status, answer.Body)
			}
		}
		if e.Auth == httpapi.BySecret { // who goes on guessing is held back, unless the right one comes
			answer, err := s.Call(ctx, "listDevice", "secret", s.Secret)
			must(t, err)
			if answer.Status != http.StatusOK {
				t.Errorf("listDevice answers %d %s", answer.Status, answer.Body)
			}
		}
	}
	answer, err := stranger.Call(ctx, "noSuchEndpoint")
	must(t, err)
	if answer.Status != http.StatusNotFound || answer.Error != "UNKNOWN_ENDPOINT" {
		t.Errorf("noSuchEndpoint answers %d %s", answer.Status, answer.Body)
	}
	must(t, s.page(ctx))
	if !s.NoAssistants {
		must(t, s.refusesAssistant(ctx))
	}
	must(t, s.health(ctx))
}

// refusesAssistant checks that /mcp opens to nobody without a key.
func (s *System) refusesAssistant(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/mcp",
		strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`))
	if err != nil {
		return err
	}
	response, err := s.HTTP.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if challenge := response.Header.Get("WWW-Authenticate"); response.StatusCode != http.StatusUnauthorized ||
		!strings.HasPrefix(challenge, "Bearer ") {
		return fmt.Errorf("/mcp is answered %s with the challenge %q", response.Status, challenge)
	}
	return nil
}

// health checks that load balancers learn what they ask for.
func (s *System) health(ctx context.Context) error {
	for _, path := range httpapi.HealthPaths {
		body, err := s.get(ctx, path, nil)
		var answer struct {
			Status      string
			HostHeardAt *time.Time
		}
		if err == nil {
			err = json.Unmarshal([]byte(body), &answer)
		}
		if err != nil || answer.Status != "ok" {
			return fmt.Errorf("%s is answered %s, %w", path, body, err)
		}
	}
	return nil
}

var (
	pageFile = regexp.MustCompile(`(?:src|href)="(page/[^"]+)"`)
	docsFile = regexp.MustCompile(`(?:src|href)="/(docs/[^"]+\.(?:css|js))"`)
)

// page checks that the web page is there, with all its files.
func (s *System) page(ctx context.Context) error {
	front, err := s.file(ctx, "")
	if err != nil {
		return err
	}
	files := pageFile.FindAllStringSubmatch(front, -1)
	if len(files) < 3 {
		return fmt.Errorf("the page is %q", front)
	}
	for _, f := range files {
		if _, err := s.file(ctx, f[1]); err != nil {
			return err
		}
	}
	docs, err := s.file(ctx, "docs")
	if err != nil {
		return err
	}
	files = docsFile.FindAllStringSubmatch(docs, -1)
	if len(files) < 2 {
		return fmt.Errorf("/docs is %q", docs)
	}
	for _, f := range append(files, []string{"", "openapi.json"}) {
		if _, err := s.file(ctx, f[1]); err != nil {
			return err
		}
	}
	return s.fromPage(ctx)
}

// fromPage calls the API as the page does: what opens it is in a header, parameters are a form's, answers aren't kept.
func (s *System) fromPage(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/api/listDevice", strings.NewReader("limit=10"))
	if err != nil {
		return err
	}
	for name, value := range map[string]string{
		"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8", "X-Api-Key": s.Secret, "Accept-Language": "id", "Origin": s.URL,
		"Sec-Fetch-Site": "same-origin", "Cache-Control": "no-cache",
	} {
		request.Header.Set(name, value)
	}
	response, err := s.HTTP.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && (response.StatusCode != http.StatusOK || !strings.HasPrefix(string(body), `{"status":true`)) {
		err = fmt.Errorf("a call of the page's is answered %s %.300s", response.Status, body)
	}
	return err
}

// file gets what stands under a path, and holds it to a page's policy.
func (s *System) file(ctx context.Context, path string) (string, error) {
	return s.get(ctx, "/"+path, func(h http.Header) bool {
		return strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'")
	})
}

// get gets what stands under a path.
func (s *System) get(ctx context.Context, path string, right func(http.Header) bool) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+path, nil)
	if err != nil {
		return "", err
	}
	response, err := s.HTTP.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && (response.StatusCode != http.StatusOK || len(body) == 0 || right != nil && !right(response.Header)) {
		err = fmt.Errorf("%s is answered %s, %v", path, response.Status, response.Header)
	}
	return string(body), err
}

func link(ctx context.Context, t T, s *System) {
	if s.Key == "" {
		must(t, s.AddDevice(ctx))
	}
	must(t, s.Link(ctx))
	must(t, s.Shows(ctx, func(state State) bool { return state.Number == s.Phone.PN().User }))
}

// receive checks that messages show, in the order of their times, and are acknowledged.
func receive(ctx context.Context, t T, s *System) {
	now := time.Now().Truncate(time.Second)
	var ids []string
	for i := range 3 {
		for _, friend := range s.Friends {
			id, err := friend.Send(ctx, s.Phone, sim.Text(fmt.Sprint("halo ", i)),
				sim.SendOptions{Time: now.Add(time.Duration(i) * time.Second)})
			must(t, err)
			ids = append(ids, id)
		}
	}
	must(t, s.Device.WaitAcked(ctx, ids...))
	chats, err := s.Chats(ctx)
	must(t, err)
	if len(chats) != len(s.Friends) {
		t.Errorf("%d chats, want %d", len(chats), len(s.Friends))
	}
	for i, friend := range s.Friends {
		messages, err := s.Messages(ctx, friend.PN().User)
		must(t, err)
		if len(messages) != 3 {
			t.Fatalf("%d messages of %s, want 3", len(messages), friend.PN())
		}
		for n, m := range messages {
			if want := ids[n*len(s.Friends)+i]; m.ID != want || m.Body != fmt.Sprint("halo ", n) || m.FromMe {
				t.Errorf("message %d is %+v, want %s", n, m, want)
			}
		}
		chat, err := s.Chat(ctx, friend.LID().String())
		must(t, err)
		if chat.ID != friend.PN().String() || chat.Name != friend.PushName() || chat.Unread != 3 {
			t.Errorf("chat %+v", chat)
		}
	}
}

func mute(ctx context.Context, t T, s *System) {
	friend := s.Friends[0]
	phone := friend.PN().User
	for _, seconds := range []string{"3600", ""} {
		before := time.Now()
		answer, err := s.Call(ctx, "muteChat", "phone", phone, "second", seconds)
		must(t, err)
		if answer.Status != http.StatusOK || answer.Query.To != phone || answer.Query.Seconds != seconds {
			t.Fatalf("muteChat answers %s", answer.Body)
		}
		end, muted := Muted(s.Phone, friend.PN())
		chat, err := s.Chat(ctx, phone)
		must(t, err)
		if !muted || !chat.Muted || chat.MuteEndTime != end {
			t.Errorf("the phone has mute %v until %d, the chat %v until %d", muted, end, chat.Muted, chat.MuteEndTime)
		}
		if late := time.UnixMilli(end).Sub(before) - time.Hour; seconds != "" && (late < -time.Second || late > 10*time.Second) {
			t.Errorf("an hour's mute is %v off", late)
		}
		if seconds == "" && end != -1 {
			t.Errorf("a mute without end ends at %d", end)
		}
		chats, err := s.Chats(ctx, "muted", "true")
		must(t, err)
		if len(chats) != 1 || chats[0].ID != friend.PN().String() {
			t.Errorf("muted chats: %+v", chats)
		}
	}
	answer, err := s.Call(ctx, "unmuteChat", "phone", phone)
	must(t, err)
	chat, err := s.Chat(ctx, phone)
	must(t, err)
	if _, muted := Muted(s.Phone, friend.PN()); answer.Status != http.StatusOK || muted || chat.Muted {
		t.Errorf("unmuteChat answers %s; the phone has mute %v, the chat %v", answer.Body, muted, chat.Muted)
	}
}

// Muted is what the phone says of a chat: whether it is muted, and the end in ms, -1 for ever.
func Muted(phone *sim.Phone, chat types.JID) (end int64, muted bool) {
	value, ok := phone.AppState().Lookup("mute", chat.String())
	return value.GetMuteAction().GetMuteEndTimestamp(), ok && value.GetMuteAction().GetMuted()
}

func clearChat(ctx context.Context, t T, s *System) {
	friend := s.Friends[1]
	phone := friend.PN().User
	answer, err := s.Call(ctx, "clearMessageById", "phone", phone)
	must(t, err)
	if answer.Status != http.StatusOK || string(answer.Results) != "true" {
		t.Fatalf("clearMessageById answers %s", answer.Body)
	}
	messages, err := s.Messages(ctx, phone)
	must(t, err)
	if len(messages) != 0 {
		t.Errorf("%d messages after a clear", len(messages))
	}
	if _, ok := s.Phone.AppState().Lookup("clearChat", friend.PN().String(), "0", "0"); !ok {
		t.Errorf("the phone knows of no clear")
	}
	id, err := friend.Send(ctx, s.Phone, sim.Text("lagi"), sim.SendOptions{Time: time.Now().Add(5 * time.Second)})
	must(t, err)
	must(t, s.Device.WaitAcked(ctx, id))
	messages, err = s.Messages(ctx, phone)
	must(t, err)
	if len(messages) != 1 || messages[0].ID != id {
		t.Errorf("after a clear and a message: %+v", messages)
	}
}

func report(ctx context.Context, t T, s *System) {
	reports, err := s.Reports(ctx)
	must(t, err)
	seen := map[string]int{}
	for _, r := range reports {
		seen[fmt.Sprint(r.Endpoint, " ", r.Code)]++
		if r.Command == "pending" {
			t.Errorf("pending: %+v", r)
		}
	}
	for entry, want := range map[string]int{"muteChat 200": 2, "unmuteChat 200": 1, "clearMessageById 200": 1} {
		if seen[entry] != want {
			t.Errorf("%d reports of %s, want %d; all: %v", seen[entry], entry, want, seen)
		}
	}
	answer, err := s.Call(ctx, "clearReportApi", "all", "all")
	must(t, err)
	if answer.Status != http.StatusOK || answer.Message != "Success" {
		t.Errorf("clearReportApi answers %s", answer.Body)
	}
	if reports, err = s.Reports(ctx); err != nil || len(reports) > 1 { // clearing may be reported itself
		t.Errorf("after clearReportApi: %+v, %v", reports, err)
	}
}

// reconnect turns the service off and on: what comes meanwhile isn't lost.
func reconnect(ctx context.Context, t T, s *System) {
	answer, err := s.Call(ctx, "serviceDestroy")
	must(t, err)
	if answer.Status != http.StatusOK {
		t.Fatalf("serviceDestroy answers %s", answer.Body)
	}
	must(t, s.Device.WaitOffline(ctx))
	must(t, s.Shows(ctx, off))
	friend := s.Friends[2]
	answer, err = s.Call(ctx, "muteChat", "phone", friend.PN().User)
	must(t, err)
	if answer.Status != http.StatusConflict || answer.Error != "DEVICE_NOT_CONNECTED" {
		t.Errorf("muteChat of a service that is off answers %s", answer.Body)
	}
	id, err := friend.Send(ctx, s.Phone, sim.Text("sementara itu"), sim.SendOptions{Time: time.Now().Add(10 * time.Second)})
	must(t, err)
	if answer, err = s.Call(ctx, "serviceStart"); err != nil || answer.Status != http.StatusOK {
		t.Fatalf("serviceStart answers %s, %v", answer.Body, err)
	}
	must(t, s.Device.WaitAcked(ctx, id))
	must(t, s.Connected(ctx))
	messages, err := s.Messages(ctx, friend.PN().User)
	must(t, err)
	if len(messages) != 4 || messages[3].ID != id {
		t.Errorf("after a reconnect: %+v", messages)
	}
}

// unlink ends the link from this side; what is stored can still be read.
func unlink(ctx context.Context, t T, s *System) {
	answer, err := s.Call(ctx, "serviceDestroy", "logout", "true")
	must(t, err)
	if answer.Status != http.StatusOK {
		t.Fatalf("serviceDestroy answers %s", answer.Body)
	}
	if s.Device.Linked() {
		t.Errorf("WhatsApp still has the device")
	}
	must(t, s.Shows(ctx, off))
	chats, err := s.Chats(ctx)
	must(t, err)
	if len(chats) != len(s.Friends) {
		t.Errorf("%d chats after a logout", len(chats))
	}
}

func must(t T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v", err)
	}
}
