"""Broken data sets and traces, each with what plateau check says of it: bad_data.py BIN FOLDER. A sentence names the file, the line where there is one, what
is wrong, and where it can what to do."""
import os
import subprocess
import sys

BIN, FOLDER = sys.argv[1:3]
# format, further keys, the file's bytes, the sentence after the file's name
CASES = [
    ('jsonl', '', '', 'is empty'),
    ('jsonl', '', '\n\n  \n', 'it holds no record'),
    ('jsonl', '', '{"prompt":"hello there","output_tokens":5}\n{"prompt":"a","output_tokens":5\n', 'line 2: it is not JSON (skip: 1% would leave such records out, and count them)'),
    ('jsonl', '', '{"prompt":"hello there","output_tokens":5}\nplain text\n', 'line 2: it is not a JSON object (skip: 1% would leave such records out, and count them)'),
    ('jsonl', '', '{"text":"a"}\n', 'line 1: it has no "prompt"; what it has: "text"'),
    ('jsonl', '', '{"prompt":""}\n', 'line 1: its prompt is empty'),
    ('jsonl', '', '{"prompt":"a","output_tokens":"many"}\n', 'line 1: its output length is not a number of tokens'),
    ('jsonl', '', '{"prompt":"a","output_tokens":-3}\n', 'line 1: its output length is not a number of tokens'),
    ('jsonl', '', b'{"prompt":"a\xff\xfeb"}\n', 'line 1: its text is not UTF-8'),
    ('jsonl', '', b'\x1f\x8b\x08\x00\x04\x0f\x0ck\x02\xff\xabV*(\xca\xcf-(Q\xb2R\xcaH\xcd\xc9\xc9W(\xc9H-JU\xd2Q\xca/-)(-\x89/\xc9\xcfN\xcd+V\xb22\xad\xe5\x02\x00\xcb\xdf\xf4\xbe+\x00\x00\x00', 'it is compressed: unpack it first (gunzip)'),
    ('jsonl', '', b'\xff\xfe\xff\xfe{\x00"\x00p\x00r\x00o\x00m\x00p\x00t\x00"\x00:\x00"\x00h\x00e\x00l\x00l\x00o\x00 \x00t\x00h\x00e\x00r\x00e\x00"\x00,\x00"\x00o\x00u\x00t\x00p\x00u\x00t\x00_\x00t\x00o\x00k\x00e\x00n\x00s\x00"\x00:\x005\x00}\x00\n\x00', 'it is UTF-16: convert it to UTF-8 first (iconv -f UTF-16 -t UTF-8)'),
    ('jsonl', '', '[\n {\n  "prompt": "hello there",\n  "output_tokens": 5\n },\n {\n  "prompt": "hello there",\n  "output_tokens": 5\n },\n {\n  "prompt": "hello there",\n  "output_tokens": 5\n }\n]', "line 1: it is not a JSON object: the file is one JSON array, and this format has an object per line (jq -c '.[]' makes such lines)"),
    ('jsonl', '', 'prompt,output_tokens\nhello,5\n', 'line 1: it is not a JSON object: comma-separated values have formats of their own'),
    ('csv', '', 'question,answer\nhello,5\n', 'line 1: no column is named "prompt"; the columns are "question", "answer": fields: {prompt: NAME} says which is which'),
    ('csv', '', 'prompt;output_tokens\nhello;5\n', 'line 1: no column is named "prompt"; the only column is "prompt;output_tokens": columns are divided by commas, not by semicolons'),
    ('csv', '', 'prompt,output_tokens\n"hello,5\n', 'line 2: a quote is never closed, or the row has more than 256 columns'),
    ('csv', '', 'prompt,output_tokens\nhello\n', 'line 2: columns here: 1, in the header: 2'),
    ('csv', '', 'prompt,output_tokens\nhello,five\n', 'line 2: "five" is not a number of tokens'),
    ('csv', '', '{"prompt":"hello there","output_tokens":5}\n', 'line 1: there is no header with the names of the columns: the file holds JSON'),
    ('sharegpt', '', '{"id":"x","conversations":[{"from":"human","value":"a"}]}\n', 'line 1: nobody answers in it'),
    ('sharegpt', '', '[{"id":"x","conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"b"}]},', 'line 1: here it is no longer JSON; 1 records were read before'),
    ('sharegpt', '', '[{"id":"x","messages":[]}]', 'line 1: it has no "conversations"'),
    ('sharegpt', '', '[{"id":"x","conversations":[{"role":"user","content":"a"}]}]', 'line 1: a turn has no "from" and "value"'),
    ('sharegpt', '', '[{"id":"x","conversations":[{"from":"narrator","value":"a"}]}]', 'line 1: a turn is from "narrator", which is neither human nor gpt'),
    ('openai-batch', '', '{"custom_id":"1","method":"POST","url":"/v1/chat/completions"}\n', 'line 1: it has no body'),
    ('openai-batch', '', '{"custom_id":"1","body":{"model":"m"}}\n', 'line 1: its body has no messages, prompt or input'),
    ('messages', '', '{"messages":"hello"}\n', 'line 1: its messages are not a list'),
    ('aiperf', '', '{"text":"a","image":"x.png"}\n', 'line 1: its "image" cannot be sent: only text can'),
    ('aiperf', '', '{"session_id":"s","turns":"x"}\n', 'line 1: its turns are not a list'),
    ('aiperf', '', '{"session_id":"s","turns":[]}\n', 'line 1: it has no turn of a user'),
    ('aiperf', '', '{"turns":[{"text":"a"},5]}\n', 'line 1: a turn is not an object'),
    ('aiperf', '', '{"turns":[{"text":"a"},{"output_length":5}]}\n', 'line 1: a turn has no "text"'),
    ('aiperf', '', '{"turns":[{"text":"a","video":"x.mp4"}]}\n', 'line 1: a turn\'s "video" cannot be sent: only text can'),
    ('aiperf', '', '{"turns":[{"text":"a"},{"role":"system","text":"b"}]}\n', 'line 1: a turn\'s role is neither user nor, of the first, system'),
    ('aiperf', '', '{"turns":[{"text":"a","output_length":"x"}]}\n', 'line 1: its output length is not a number of tokens'),
    ('vllm-custom', '', '{"text":"a"}\n', 'line 1: it has no "prompt"; what it has: "text"'),
    ('guidellm', '', '{"foo":"a"}\n', 'line 1: it has no "prompt"; what it has: "foo"'),
    ('weka', '', '{"id":"x","block_size":64}', 'line 1: "requests" is missing: one JSON object for each tree is wanted'),
    ('weka', '', '{"requests":[]}', 'line 1: it has no request'),
    ('weka', '', '{"requests":[{"type":"n","in":5,"out":1}]}', 'line 1: request 1: "t" is missing, or not a number'),
    ('weka', '', '{"requests":[{"t":0,"type":"n","in":5,"out":1},{"t":9,"type":"subagent","requests":[{"t":0,"type":"n","out":1}]}]}', 'line 1: request 3: "in" is missing, or not a number'),
    ('weka', '', '{"requests":[{"t":0,"type":"n","in":640,"out":1,"hash_ids":[1,2]}]}', 'line 1: request 1: it has 2 hash ids for 640 tokens, which are 10 blocks of 64'),
    ('weka', '', '{"requests":[{"t":0,"type":"n","in":640,"out":1,"hash_ids":[-1]}]}', 'line 1: request 1: a hash id is not a whole number below 2^32'),
    ('weka', '', '{"requests":[{"t":0,"type":"subagent","agent_id":"a"}]}', 'line 1: request 1: a sub-agent without "requests"'),
    ('weka', '', '{"requests":[{"t":0,"type":"n","in":5,"out":0}]}', 'no request is left: no row has both an answer and a prompt, of 1 (zero_output: one raises such lengths to 1)'),
    ('weka', '', '{"requests":[{"t":0,"type":"n","in":5,"out":1}]}\n{"requests":[\n{"t":0,"type":', 'line 3: here it is no longer JSON (skip: 1% would leave such records out, and count them)'),
    ('weka', '', '{"requests":[{"t":0,"type":"n","in":5,"out":1}]}\n\n7\n', 'line 3: it is not a JSON object (skip: 1% would leave such records out, and count them)'),
    ('jsonl', '', '{"prompt":"\\ud83d alone"}\n', 'line 1: its text has half of a surrogate pair'),
    ('jsonl', '', '<html><body>404</body></html>', 'it is an HTML page: the download brought a page about the file, or an error'),
    ('jsonl', '', 'version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 5\n', 'it is a pointer of Git LFS and not the file itself: git lfs pull brings that'),
    ('sharegpt', '', 'PAR1\x00\x01binary', 'it is a Parquet file: write its records as JSON lines first'),
    ('azure', '', 'TIMESTAMP,ContextTokens,GeneratedTokens\r\n', 'it holds no record'),
    ('azure', '', '2023-11-16 18:17:03.97,10,5\r\n', 'line 1: no column is named "TIMESTAMP"; the columns are "2023-11-16 18:17:03.97", "10", "5": the first line must hold the names'),
    ('azure', '', 'TIMESTAMP,ContextTokens,GeneratedTokens\r\n16.11.2023 18:17,10,5\r\n', 'line 2: "16.11.2023 18:17" is not a time such as 2023-11-16 18:17:03.9799600'),
    ('azure', '', 'TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:17:05,10,5\r\n2023-11-16 18:17:03,10,5\r\n', 'line 3: its time lies before that of the row above (skip: 1% would leave such records out, and count them)'),
    ('azure', '', 'TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:17:05,ten,5\r\n', 'line 2: "ten" is not a number of input tokens'),
    ('azure', '', 'TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:17:05,-1,5\r\n', 'line 2: lengths of -1 and 5 tokens cannot be'),
    ('azure', '', 'TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:17:05,10,0\r\n', 'no request is left: no row has both an answer and a prompt, of 1 (zero_output: one raises such lengths to 1)'),
    ('azure', '', 'TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:17:05,10\r\n', 'line 2: columns here: 2, in the header: 3'),
    ('azure', '', 'Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,1,2,3,API log\n', 'line 1: no column is named "TIMESTAMP"; the columns are "Timestamp", "Model", "Request tokens", "Response tokens", "Total tokens", "Log Type": these are those of format: burstgpt'),
    ('burstgpt', '', 'TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:17:05,10,5\r\n', 'line 1: no column is named "Timestamp"; the columns are "TIMESTAMP", "ContextTokens", "GeneratedTokens": these are those of format: azure'),
    ('burstgpt', '', 'Timestamp,Model,Request tokens,Response tokens\n12:00:05,ChatGPT,1,2\n', 'line 2: "12:00:05" is not a time in seconds'),
    ('mooncake', '', '{"timestamp": 0, "input_length": 600, "output_length": 5, "hash_ids": [0, 1]}\n{"timestamp": 5, "input_length": 600, "output_length": 5, "hash_ids": [0]}\n', 'line 2: it has 1 hash ids for 600 tokens, which are 2 blocks of 512 (skip: 1% would leave such records out, and count them)'),
    ('mooncake', '', '{"timestamp": "0", "input_length": 600, "output_length": 5, "hash_ids": [0, 1]}\n', 'line 1: "timestamp" is missing, or not a number'),
    ('mooncake', '', '{"timestamp": 0, "output_length": 5, "hash_ids": [0, 1]}\n', 'line 1: "input_length" is missing, or not a number'),
    ('mooncake', '', '{"timestamp": 0, "input_length": 600, "output_length": 5}\n', 'line 1: "hash_ids" is missing'),
    ('mooncake', '', '{"timestamp": 0, "input_length": 600, "output_length": 5, "hash_ids": {"a": [1]}}\n', 'line 1: "hash_ids" is not a list'),
    ('mooncake', '', '{"timestamp": 0, "input_length": 600, "output_length": 5, "hash_ids": [-1, 2]}\n', 'line 1: a hash id is not a whole number below 2^32'),
    ('mooncake', ', from: 10s', '{"timestamp": 0, "input_length": 600, "output_length": 5, "hash_ids": [0, 1]}\n', 'no request is left: its times span 0, and from is 10s (rows outside from and to: 1, without an answer or a prompt: 0)'),
    ('bailian', '', '{"chat_id":1,"parent_chat_id":-1,"timestamp":0.5,"input_length":600,"output_length":5,"type":"text","turn":1,"hash_ids":[1,2]}\n', 'line 1: it has 2 hash ids for 600 tokens, which are 38 blocks of 16'),
    ('mooncake', '', 'TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:17:05,10,5\r\n', 'line 1: it is not a JSON object: comma-separated values have formats of their own'),
    ('azure', '', '{"timestamp": 0, "input_length": 600, "output_length": 5, "hash_ids": [0, 1]}\n', 'line 1: no column is named "TIMESTAMP": the file holds JSON, and this format is comma-separated values'),
    ('azure', '', 'TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:17:05,1e12,5\r\n', 'line 2: lengths of 1e+12 and 5 tokens cannot be'),
    ('mooncake', ', skip: 1%', '{"timestamp": 0, "input_length": 600, "output_length": 5, "hash_ids": [0, 1]}\n{"timestamp": 0, "input_length": 600, "output_length": 5, "hash_ids": [0, 1]}\n{"timestamp": 5, "input_length": 600', '1 of 3 records are broken, skip allows 1 %; the first: line 3: it is not JSON'),
]
ROUND = '{"session_id":"a","input_tokens_total":5,"output_tokens":1,"timing_events":[{"event_type":"text","timestamp":"2026-06-01T05:40:20Z"}]}\n'
TURN = '{"session_id":"a","input_length":600,"output_length":5,"hash_ids":[0,1]}\n'
SPAN = '{"traceId":"t","spanId":"s","startTimeUnixNano":"1000","endTimeUnixNano":"2000","attributes":{"gen_ai.operation.name":"chat","gen_ai.usage.input_tokens":5,"gen_ai.usage.output_tokens":1}}'
TALK = '{"session_id":"a","turns":[{"messages":[{"role":"user","content":"x"}],"max_tokens":5%s}]}\n'
TWO = '{"session_id":"a","turns":[{"messages":[{"role":"user","content":"x"}],"max_tokens":5%s},{"messages":[{"role":"user","content":"y"}],"max_tokens":5}]}\n'
CHILD = '{"session_id":"b","turns":[{"messages":[{"role":"user","content":"z"}],"max_tokens":5%s}]}\n'
SKIP = ' (skip: 1% would leave such records out, and count them)'
CASES += [
    ('tracelab', '', '{"input_tokens_total":5}\n', 'line 1: "session_id" is missing, or not text'),
    ('tracelab', '', ROUND + '{"session_id":"a","input\n', 'line 2: it is not JSON' + SKIP),
    ('tracelab', '', ROUND + ROUND.replace('"output_tokens":1,', ''), 'line 2: "output_tokens" is missing, or not a number'),
    ('tracelab', '', ROUND.replace(':5,', ':"5",'), 'line 1: "input_tokens_total" is missing, or not a number'),
    ('tracelab', '', ROUND.replace('text', 'usage_report'), 'line 1: no event in "timing_events" says when it was sent or answered'),
    ('tracelab', '', ROUND.replace('2026-06-01T', '1.6.2026 '), 'line 1: a "timestamp" is no time such as 2026-06-01T05:40:20.151Z'),
    ('tracelab', '', ROUND.replace(':1,', ':0,'), 'no request is left: no row has both an answer and a prompt, of 1 (zero_output: one raises such lengths to 1)'),
    ('tracelab', '', ROUND.replace(':1,', ':-1,'), 'line 1: request 1: lengths of 5 and -1 tokens cannot be'),
    ('mooncake-sessions', '', TURN + TURN.replace('[0,1]', '[0]'), 'line 2: the number of its hash ids is not that of its blocks of 512 tokens'),
    ('mooncake-sessions', '', TURN.replace('[0,1]', '[0,268435456]'), 'line 1: a hash id is not a whole number below 2^28'),
    ('mooncake-sessions', '', TURN.replace('[0,1]', '"0"'), 'line 1: "hash_ids" is not a list'),
    ('mooncake-sessions', '', TURN.replace('"input_length":600,', ''), 'line 1: "input_length" is missing, or not a number'),
    ('mooncake-sessions', '', TURN.replace('600', '-600'), 'line 1: lengths below 0 or above 100 million tokens cannot be'),
    ('mooncake-sessions', '', TURN + TURN.replace('}', ',"delay":-5}'), 'line 2: a "delay" below 0 cannot be'),
    ('mooncake-sessions', '', TURN.replace('}', ',"timestamp":900}') + TURN.replace('}', ',"timestamp":800}'), 'line 2: its time lies before that of the turn above'),
    ('mooncake-sessions', '', TURN.replace('"hash_ids":[0,1]', '"messages":[]'), "line 1: it holds a prompt's text, and this format is lengths and hash ids"),
    ('mooncake-sessions', '', TURN.replace('}', ',"wait_for":["r1"]}'), 'line 1: "wait_for" is not read: turns follow one another by "delay"'),
    ('otel', '', '{"resourceMetrics":[]}', 'line 1: it holds no span: {"resourceSpans": …} or {"spans": …} is wanted'),
    ('otel', '', '{"spans":[' + SPAN.replace('"traceId":"t",', '') + ']}', 'line 1: a span has no "traceId"'),
    ('otel', '', '{"spans":[\n' + SPAN + ',\n' + SPAN.replace('"1000"', '"then"') + ']}', "line 3: a span's start is missing, or no time in nanoseconds"),
    ('otel', '', '{"spans":[' + SPAN.replace('"gen_ai.usage.input_tokens":5,', '') + ']}',
     'line 1: a call of a model has no gen_ai.usage.input_tokens and output_tokens: nothing says how long it was'),
    ('otel', '', '{"spans":[' + SPAN.replace('"chat"', '"embeddings"') + ']}',
     'no request is left: no row has both an answer and a prompt, of 1 (zero_output: one raises such lengths to 1)'),
    ('otel', '', '{"spans":[' + SPAN + ']}\n{"spans":[', 'line 2: here it is no longer JSON' + SKIP),
    ('dag', '', '{"turns":[]}\n', 'line 1: "session_id" is missing, or not text'),
    ('dag', '', '{"session_id":"a"}\n', 'line 1: "turns" is missing, or an empty list'),
    ('dag', '', TALK.replace('"messages":[{"role":"user","content":"x"}],', '') % '', 'line 1: a turn has no "messages"'),
    ('dag', '', TALK.replace('{"role":"user","content":"x"}', '') % '', 'line 1: a turn has no message'),
    ('dag', '', TALK.replace('"role":"user",', '') % '', 'line 1: a message has no "role"'),
    ('dag', '', TALK.replace('"max_tokens":5', '"max_tokens":null') % '', 'line 1: a turn has no "max_tokens": nothing says how long its answer is'),
    ('dag', '', TALK % ',"delay":"5s"', 'line 1: a "delay" is no number of milliseconds'),
    ('dag', '', TALK % ',"spawns":["nobody"]', 'line 1: it names a conversation "nobody" that is not in the file'),
    ('dag', '', TALK % ',"spawns":"b"', 'line 1: the conversations that a turn begins are not a list'),
    ('dag', '', TALK % '' + CHILD % '' + TALK % '', 'line 3: its session_id has come before' + SKIP),
    ('dag', '', TALK % ',"spawns":["b"]' + CHILD % ',"spawns":["a"]', 'line 1: its conversations begin one another, and none begins the first'),
    ('dag', '', TALK % ',"spawns":["b","b"]' + CHILD % '', 'line 2: two turns begin this conversation, or it begins itself'),
    ('dag', '', TWO % ',"forks":["b"]' + CHILD % '', 'line 1: a fork ends its conversation, and here turns follow it ("background": true lets it go on)'),
    ('dag', '', TWO % ',"spawns":[{"children":["b"],"join_at":2}]' + CHILD % '', 'line 1: "join_at" is not a later turn of its conversation'),
    ('dag', '', '{"session_id":"a","orchestrator":true,"turns":[],"spawns":["b"]}\n', 'line 1: it is an orchestrator, whose turns send nothing: such are not read'),
]
TREES = ("weka", "tracelab", "mooncake-sessions", "otel", "dag")
TRACES = ("azure", "burstgpt", "mooncake", "bailian", *TREES)
os.chdir(FOLDER)
bad = 0


def check(name, kind, fmt, extra):
    load = "{stages: [{arrivals: recorded, duration: 10s}]}" if kind == "trace" and fmt not in TREES else "{concurrency: 1, duration: 5s}"
    with open("plan.yaml", "w") as f:
        f.write(f'plan: 1\ntarget: {{url: "http://127.0.0.1:1", model: m}}\nload: {load}\nworkload: {{{kind}: {{file: {name}, format: {fmt}{extra}}}}}\n')
    return subprocess.run([BIN + "/plateau", "check", "plan.yaml"], capture_output=True, text=True)


def expect(name, kind, fmt, extra, sentence):
    global bad
    r = check(name, kind, fmt, extra)
    got = r.stderr.strip()
    if r.returncode == 2 and got == f"workload default: {name}: {sentence}" and not r.stdout:
        return
    bad += 1
    print(f"{name} ({fmt}): status {r.returncode}, expected: {sentence}; got: {got}", file=sys.stderr)


for i, (fmt, extra, data, sentence) in enumerate(CASES):
    name = f"file-{i}"
    with open(name, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())
    expect(name, "trace" if fmt in TRACES else "dataset", fmt, extra, sentence)
os.mkdir("folder")
expect("folder", "dataset", "jsonl", "", "is not a file")
expect("nowhere", "dataset", "jsonl", "", "cannot be opened: No such file or directory")
print(f"{len(CASES) + 2} broken files")
sys.exit(1 if bad else 0)
