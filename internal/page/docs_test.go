package page

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"
	"github.com/getkin/kin-openapi/openapi3"

	"pesan/internal/testkit/browser"
)

func docsServer(t *testing.T) *httptest.Server {
	server := httptest.NewServer(New())
	t.Cleanup(server.Close)
	return server
}

// TestDescriptionIsServed: what /openapi.json answers is a valid description, with all that openapi.yaml has.
func TestDescriptionIsServed(t *testing.T) {
	recorder := httptest.NewRecorder()
	docsServer(t).Config.Handler.ServeHTTP(recorder, httptest.NewRequest("GET", "/openapi.json", nil))
	if recorder.Header().Get("Content-Type") != "application/json" {
		t.Errorf("header %v", recorder.Header())
	}
	served, err := openapi3.NewLoader().LoadFromData(recorder.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := served.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	kept, err := openapi3.NewLoader().LoadFromFile("../../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if served.Paths.Len() < 20 || served.Paths.Len() != kept.Paths.Len() || served.Info.Description != kept.Info.Description {
		t.Errorf("%d paths, want %d", served.Paths.Len(), kept.Paths.Len())
	}
}

// TestDocsPage: a browser that reaches nothing else shows every endpoint, and the page keeps to its own policy.
func TestDocsPage(t *testing.T) {
	server := docsServer(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	tab := browser.New(ctx, t, browser.Options{})
	complaints := make(chan string, 100)
	if err := chromedp.Listen(tab, func(event any) {
		if entry, ok := event.(*log.EventEntryAdded); ok {
			complaints <- entry.Entry.Text + " " + entry.Entry.URL
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(tab, chromedp.Navigate(server.URL+"/docs"),
		chromedp.WaitVisible(chromedp.CSS("#operations-chats-getChats"))); err != nil {
		t.Fatal(err)
	}
	text, err := chromedp.Run(tab, chromedp.Text(chromedp.CSS("#swagger-ui")))
	if err != nil {
		t.Fatal(err)
	}
	for _, endpoint := range []string{"/api/getChats", "/api/muteChat", "/api/listDevice"} {
		if !strings.Contains(text, endpoint) {
			t.Errorf("the page does not show %s", endpoint)
		}
	}
	if _, err := chromedp.Run(tab, chromedp.Evaluate[any](`document.head.append(Object.assign(document.createElement("script"),
		{src: "https://elsewhere.example/x.js"}))`)); err != nil {
		t.Fatal(err)
	}
	for foreign := false; !foreign; { // the browser complains of this one, and of nothing before it
		select {
		case complaint := <-complaints:
			foreign = strings.Contains(complaint, "elsewhere.example") && strings.Contains(complaint, "Content Security Policy")
			if !foreign {
				t.Errorf("the browser complains: %s", complaint)
			}
		case <-ctx.Done():
			t.Fatal("the policy lets in a script from elsewhere")
		}
	}
}

// TestDocsPolicy: the page may load what it carries, and nothing that another site could add.
func TestDocsPolicy(t *testing.T) {
	handler := docsServer(t).Config.Handler
	for path, want := range map[string]int{
		"/docs": 200, "/docs/": 200, "/docs/swagger-ui.css": 200, "/docs/swagger-ui-bundle.js": 200, "/docs/none": 404,
	} {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequest("GET", path, nil))
		policy := recorder.Header().Get("Content-Security-Policy")
		if recorder.Code != want || want == 200 && !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "unsafe") ||
			want == 200 && recorder.Header().Get("Content-Type") == "" {
			t.Errorf("%s: %d, %s", path, recorder.Code, policy)
		}
		if strings.Contains(recorder.Body.String(), "=\"https://") && !strings.HasSuffix(path, ".js") {
			t.Errorf("%s refers to another site", path)
		}
	}
}
