// Sends logs with a key of IBM's through IBM's own authenticator: it fetches the token, and the next one in time.
// Arguments: the URL of the gateway, the seconds to go on for. The key is in INGESTION_API_KEY.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/IBM/go-sdk-core/v5/core"
)

func main() {
	url := os.Args[1]
	seconds, _ := strconv.Atoi(os.Args[2])
	authenticator, err := core.NewIamAuthenticatorBuilder().SetApiKey(os.Getenv("INGESTION_API_KEY")).SetURL(url).Build()
	if err != nil {
		panic(err)
	}
	until := time.Now().Add(time.Duration(seconds) * time.Second)
	for first := true; first || time.Now().Before(until); first = false {
		send(url, authenticator)
		if seconds > 0 {
			time.Sleep(500 * time.Millisecond)
		}
	}
}

func send(url string, authenticator *core.IamAuthenticator) {
	body := `[{"applicationName":"shop","subsystemName":"checkout","severity":3,"text":"sold"}]`
	request, err := http.NewRequest("POST", url+"/logs/v1/singles", strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if err := authenticator.Authenticate(request); err != nil {
		tell("failed", err.Error())
		return
	}
	token := sha256.Sum256([]byte(request.Header.Get("Authorization")))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		tell("failed", err.Error())
		return
	}
	response.Body.Close()
	tell(strconv.Itoa(response.StatusCode), fmt.Sprintf("%x", token[:4]))
}

func tell(status string, what string) {
	line, _ := json.Marshal(map[string]string{"status": status, "what": what})
	fmt.Println(string(line))
}
