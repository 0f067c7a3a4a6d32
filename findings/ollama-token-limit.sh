#!/usr/bin/env bash
# Guess:   Ollama's OpenAI-compatible API knows max_completion_tokens, the name that OpenAI gave the limit, and refuses what it does not know.
# Instead: a request with max_completion_tokens has no limit at all, and max_tokens is the only name; ignore_eos, min_tokens and n are dropped as well. Nothing
#          is said of it.
# So:      send max_tokens, or each answer ends where the model likes; check the lengths that came.
. "$(dirname "$0")/lib.sh"
version=v0.17.4
mkdir "$dir/m"
cd "$dir/m"
printf 'module finding\ngo 1.24\n' >go.mod
cat >main.go <<'G'
package main

import (
	"encoding/json"
	"fmt"
	"github.com/ollama/ollama/openai"
	"os"
)

func main() {
	var r openai.ChatCompletionRequest
	if err := json.Unmarshal([]byte(os.Args[1]), &r); err != nil {
		fmt.Println("refused:", err)
		return
	}
	native, err := openai.FromChatRequest(r)
	if err != nil {
		fmt.Println("refused:", err)
		return
	}
	options, _ := json.Marshal(native.Options)
	fmt.Println(string(options))
}
G
GOFLAGS=-mod=mod go get "github.com/ollama/ollama@$version" >"$dir/go.log" 2>&1 || { tail -3 "$dir/go.log" >&2; exit 1; }
CGO_ENABLED=0 GOFLAGS=-mod=mod go build -o "$dir/translate" . >"$dir/go.log" 2>&1 || { tail -3 "$dir/go.log" >&2; exit 1; }
echo "package: github.com/ollama/ollama $version (Go): the part that translates OpenAI's requests"
guess "num_predict 5 both times"
body='"model": "m", "messages": [{"role": "user", "content": "x"}]'
is "options of max_tokens 5" "$("$dir/translate" "{$body, \"max_tokens\": 5}" | grep -o '"num_predict":[0-9]*')" '"num_predict":5'
hasnt "options of max_completion_tokens 5" "$("$dir/translate" "{$body, \"max_completion_tokens\": 5}")" 'num_predict|refused'
hasnt "options of ignore_eos, min_tokens, n" "$("$dir/translate" "{$body, \"ignore_eos\": true, \"min_tokens\": 4, \"n\": 2}")" 'eos|min|"n"|refused'
