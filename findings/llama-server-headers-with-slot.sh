#!/usr/bin/env bash
# Guess:   llama-server sends the head of a streamed response with the first token, or at once, whatever waits before it.
# Instead: the head comes when the request gets its slot: at once with a free slot, before the prompt is processed; with none free, when another ends.
# So:      head − sent is the queue, first token − head is the prompt. A limit on the wait for a head is a limit on the queue.
. "$(dirname "$0")/lib.sh"
debian curl
llama_server 1
guess "both heads within a second"
cat >"$dir/queue.py" <<'P'
import http.client, json, sys, threading, time
def ask(tokens, into):
    c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=300)
    start = time.monotonic()
    body = {"messages": [{"role": "user", "content": "Count from one to a thousand in words."}], "max_tokens": tokens, "stream": True, "ignore_eos": True}
    c.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
    r = c.getresponse()
    into.append((start, time.monotonic()))
    r.readline()
    while r.readline():
        pass
    into.append(time.monotonic())
first, second = [], []
a = threading.Thread(target=ask, args=(40, first))
a.start()
while not first:
    time.sleep(0.01)
b = threading.Thread(target=ask, args=(2, second))
b.start()
a.join(); b.join()
print("%.2f %.2f %.2f" % (first[0][1] - first[0][0], second[0][1] - second[0][0], first[1] - second[0][0]))
P
read -r free busy rest < <(python3 "$dir/queue.py" "$port")
seen "head of the first request after $free s; of the second, sent while the first was answered, after $busy s, when the first had $rest s to go"
is "the second head came when the first answer had ended" "$(awk "BEGIN {print ($free < 1 && $busy > 0.8 * $rest && $busy > 4 * $free) ? \"yes\" : \"no\"}")" yes
