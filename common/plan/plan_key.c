#include "common/plan/plan_key.h"

#include <string.h>

static const char *const APIS[] = {
#define X(id, symbol, name, ...) [API_##id] = name,
#include "common/plan/api.def"
#undef X
    NULL};
static const char *const DATASETS[] = {
#define X(id, name) [DATASET_##id] = name,
#include "common/plan/dataset.def"
#undef X
    NULL};
static const char *const IMAGE_FORMATS[] = {"png", NULL}, *const AUDIO_FORMATS[] = {"wav", NULL};
static const char *const TRACES[] = {
#define X(id, name, tree) [TRACE_##id] = name,
#include "common/plan/trace.def"
#undef X
    NULL};
static const char *const HISTORY[] = {"own", "recorded", NULL}, *const COUNTED[] = {"sessions", "requests", NULL};
static const char *const ORDERS[] = {[ORDER_SEEDED] = "seeded", [ORDER_SEQUENTIAL] = "sequential", NULL};
static const char *const ZEROS[] = {[ZERO_DROP] = "drop", [ZERO_ONE] = "one", NULL};
static const char *const STARTS[] = {[START_FIRST] = "first", [START_RANDOM] = "random", NULL};
static const char *const FRAMINGS[] = {
    [TEMPLATE_SSE] = "sse", [TEMPLATE_LINES] = "ndjson", [TEMPLATE_WHOLE] = "json", NULL};
static const char *const LENGTHS[] = {[LENGTHS_WORDS] = "words", [LENGTHS_MEASURED] = "measured", NULL};
static const char *const ENDS[] = {
    [END_MARKER] = "marker", [END_FINISH] = "finish", [END_CLOSE] = "close", [END_AUTO] = "auto", NULL};
static const char *const HTTP[] = {"1.1", "2", "auto", NULL}, *const CONNECTIONS[] = {"reuse", "fresh", NULL};
static const char *const LOSS[] = {[ON_LOSS_RETRY] = "retry", [ON_LOSS_MARK] = "mark", [ON_LOSS_FAIL] = "fail", NULL};
static const char *const INCONCLUSIVE[] = {"fail", "pass", NULL};
static const char *const REQUIRE[] = {[REQUIRE_AUTO] = "auto", [REQUIRE_ANY] = "any", [REQUIRE_ALL] = "all", NULL};
static const char *const MAXIMIZE[] = {"output_tokens_per_second", NULL}, *const WITHIN[] = {"slo", NULL};
static const char *const CURVES[] = {"mlperf-endpoints", NULL};
static const char *const SCENARIOS[] = {[SCENARIO_NONE] = "none", [SCENARIO_AGENTX] = "agentx", NULL};
static const char *const OFFLINE[] = {
    [OFFLINE_AUTO] = "auto", [OFFLINE_ALL] = "all", [OFFLINE_ELECTED] = "elected", NULL};
static const char *const OVER[] = {"concurrency", "rate", NULL};

#define AT(type, field) .offset = offsetof(struct type, field)
#define WHOLE .offset = 0           /* the section's struct as a whole */
#define NO_FIELD .offset = SIZE_MAX /* checked, not kept */
#define DAY 86400.0

const struct plan_section PLAN_SECTIONS[] = {
    {"", "", "The plan as a whole.", goal_check},
    {"target", "target", "What is put under load.", target_check},
    {"template", "target.template",
     "For api: template: an API of one's own. A path is names with dots between them; [] is each item of a list, [0] "
     "its first.",
     template_check},
    {"template.usage", "target.template.usage", "Where an answer says how many tokens it counts.", NULL},
    {"tls", "target.tls", "Certificates, for https.", NULL},
    {"tokenizer", "target.tokenizer",
     "The model's tokenizer.json, which the coordinator reads: made-up prompts have exactly the lengths asked for, and "
     "the prompts of data sets are counted. Byte-level BPE of the families of GPT-2, Llama 3, Qwen, o200k (gpt-oss), "
     "Tekken (Mistral), DeepSeek V3 and StarCoder (digits one by one, as Command R and SmolLM too).",
     NULL},
    {"timeouts", "target.timeouts", "When a request is given up; each has its own label in the report.", NULL},
    {"workload", "workload", "What is asked. One mapping, or a list of them that are mixed by weight.", workload_check},
#define X(id, name, file, check, section, example, what) {#name, "workload." #name, section, check},
#include "common/plan/source.def"
#undef X
    {"found", "workload.dataset.found",
     "What was in the file of a data set or a trace; filled in when it is read. Session trees count as one each.",
     NULL},
    {"images", "workload.images", "Pictures beside the text, for APIs whose messages may hold them.", NULL},
    {"audio", "workload.audio", "Sound beside the text, for APIs whose messages may hold it.", NULL},
    {"sessions", "workload.sessions",
     "Conversations. A turn goes out with all that was said before, on the same agent, to the same address and, with "
     "HTTP/1.1, on the same connection while it is open. A conversation whose request fails or is cancelled ends "
     "there. A value of target.headers may hold {session}: 16 characters that are the conversation's own, for "
     "balancers that keep one on one server.",
     NULL},
    {"shared_prefix", "workload.synthetic.shared_prefix",
     "The beginning that prompts have in common: what a prefix cache may reuse.", NULL},
    {"normal", "….normal", "A normal distribution, cut at its limits.", NULL},
    {"lognormal", "….lognormal", "A lognormal distribution; mean and sd are those of the values.", NULL},
    {"exponential", "….exponential", "An exponential distribution.", NULL},
    {"load", "load", "How much is asked: a sweep, stages one after the other, or a search.", NULL},
    {"cancel", "load.cancel",
     "Users who go away. A request that is cancelled is no error. It is over every limit below the age that it had, in "
     "gates, in searches and in goodput; of longer limits it tells nothing, and a gate that such requests could decide "
     "is inconclusive. Latencies are of the requests that ended before, and so of the faster ones.",
     NULL},
    {"retries", "load.retries",
     "Clients that try again. A request stays one request: its latencies begin with its first try and hold the waits, "
     "it "
     "keeps its place among those in flight, and the ledger counts how its last try ended. The report says how many "
     "were "
     "sent again, and why. What has given a token is not sent again.",
     NULL},
    {"stage", "load.stages[]", "One stage. The same keys stand directly in `load` for a sweep or a search.", NULL},
    {"search", "load.search",
     "The maximum load that holds a promise; `search: plateau` looks for the maximum throughput.", NULL},
    {"curve", "load, for a curve", "A standard's curve: these keys stand in `load`, and the loads follow from them.",
     NULL},
    {"slo", "slo", "What is promised.", NULL},
    {"slo.request", "slo.request",
     "A request that is slower than one of these is not good: it does not count for goodput.", NULL},
    {"cost", "cost", "What the endpoint costs: gives the price of a million tokens beside every point.", NULL},
    {"agents", "agents", "The machines that make the load.", NULL},
    {"record", "record", "What is kept beside histograms and series.", NULL},
    {"verdict", "verdict", "When a stage is called invalid because the client, not the server, was measured.", NULL},
};
const size_t PLAN_SECTIONS_N = sizeof PLAN_SECTIONS / sizeof *PLAN_SECTIONS;

/* Keep the order: it is the order of canonical JSON and of the reference, and a rule of KEY_TOLD may use the rows above
 * it. */
const struct plan_key PLAN_KEYS[] = {
    {"", "plan", &KEY_VERSION, WHOLE, NULL, "1", "", "version of this format", .flags = KEY_REQUIRED},
    {"", "name", &KEY_TEXT, AT(plan, name), "plan", "chat-plateau", "", "title of the run's reports"},
    {"", "seed", &KEY_U64, AT(plan, seed), "1", "42", "",
     "prompts, arrivals and the mix follow from it; the same seed asks the same"},
    {"", "target", &KEY_SECTION, AT(plan, target), NULL, "{url: http://127.0.0.1:8000, model: m}", "", "the endpoint",
     .sub = "target", .flags = KEY_REQUIRED},
    {"", "workload", &KEY_WORKLOADS, WHOLE, "256 input and 128 output tokens", "{synthetic: {input_tokens: 512}}", "",
     "what is asked", .sub = "workload", .flags = KEY_TOLD},
    {"", "load", &KEY_LOAD, WHOLE, NULL, "{concurrency: [1, 8, 64], duration: 30s}", "", "how much is asked",
     .sub = "load", .flags = KEY_REQUIRED},
    {"", "slo", &KEY_SECTION, WHOLE, "", "{run: [ttft.p99 < 800ms]}", "", "what is promised", .sub = "slo"},
    {"", "cost", &KEY_SECTION, WHOLE, "", "{gpus: 4, per_gpu_hour: 2.50 USD}", "", "what it costs", .sub = "cost",
     .flags = KEY_OPTIONAL},
    {"", "agents", &KEY_SECTION, WHOLE, "", "{count: 8}", "", "who asks", .sub = "agents"},
    {"", "record", &KEY_SECTION, WHOLE, "", "{requests: true}", "", "what is kept", .sub = "record"},
    {"", "verdict", &KEY_SECTION, WHOLE, "", "{lateness: 2ms}", "", "limits of the verdict", .sub = "verdict"},

    {"target", "url", &KEY_URL, AT(plan_target, url), NULL, "https://gw.example.com/v1/chat/completions", "",
     "http or https; without a path it gets that of its api", .flags = KEY_REQUIRED},
    {"target", "api", &KEY_WORDS, AT(plan_target, api), "openai-chat", "openai-completions", "",
     "the language the endpoint speaks", .words = APIS},
    {"target", "template", &KEY_TEMPLATE, WHOLE, "",
     "{body: '{\"q\": {prompt}, \"n\": {output_tokens}}', text: out.text, end: close}", "",
     "for api: template: how requests are written and answers are read", .sub = "template", .flags = KEY_OPTIONAL},
    {"target", "stream", &KEY_STREAM, AT(plan_target, whole), "true", "false", "",
     "false: answers come whole, in one piece; there is no time to the first token then"},
    {"target", "end", &KEY_WORDS, AT(plan_target, end), "marker", "finish", "",
     "what ends a stream: the marker of its api; the event with a finish reason (usage after it is not read); the "
     "body's end; auto: what each worker finds at the first streams of a stage, and the report says it",
     .words = ENDS},
    {"target", "lengths", &KEY_WORDS, AT(plan_target, lengths), "words", "measured", "",
     "how a prompt gets its length: words: one word a token; measured: as this server counts, which a few short "
     "requests before the load find out: the tokens of a word, and those that the template around a prompt adds",
     .words = LENGTHS},
    {"target", "tokenizer", &KEY_SECTION, WHOLE, "", "{file: tokenizer.json}", "",
     "prompts have the lengths asked for by this tokenizer; with lengths: measured what the chat template adds is "
     "measured and left out of them, and a server that counts by another tokenizer is refused",
     .sub = "tokenizer", .flags = KEY_OPTIONAL},
    {"target", "model", &KEY_MODELS, WHOLE, "needed; databricks: the endpoint's name",
     "[{name: base, weight: 3}, {name: lora, weight: 1}]", "",
     "a name, or a weighted mix; {zipf: {prefix: lora-, count: 100, exponent: 1}}: lora-1, lora-2 …, each as often as "
     "1 / its number to the power of the exponent",
     .flags = KEY_TOLD},
    {"target", "auth", &KEY_AUTH, AT(plan_target, auth), "none", "{bearer: {env: LLM_API_KEY}}", "",
     "where agents find the secret; never the secret"},
    {"target", "headers", &KEY_HEADERS, WHOLE, "", "{x-team: perf}", "", "sent with every request"},
    {"target", "body", &KEY_BODY, WHOLE, "{}", "{temperature: 0, ignore_eos: true}", "",
     "merged into every request's JSON", .flags = KEY_TOLD},
    {"target", "omit", &KEY_OMIT, AT(plan_target, omit), "", "[stream_options]", "",
     "members of the request's JSON that are left out, for servers that refuse them"},
    {"target", "http", &KEY_WORDS, AT(plan_target, http), "\"1.1\"", "\"2\"", "",
     "HTTP version; auto: over TLS what the server chooses", .words = HTTP},
    {"target", "streams_per_connection", &KEY_U32, AT(plan_target, streams_per_connection), "", "100", "request",
     "HTTP/2 only (there 100 unless given): most open at once on one connection", .least = 1, .most = 10000,
     .flags = KEY_SKIP_ZERO},
    {"target", "tls", &KEY_SECTION, WHOLE, "", "{ca_file: ca.pem}", "", "certificates", .sub = "tls"},
    {"target", "timeouts", &KEY_SECTION, WHOLE, "", "{first_token: 20s}", "", "patience", .sub = "timeouts"},
    {"target", "connections", &KEY_WORD_FLAG, AT(plan_target, fresh_connections), "reuse", "fresh", "",
     "fresh: a new connection for every request", .words = CONNECTIONS},
    {"target", "proxy", &KEY_PROXY, AT(plan_target, proxy), "", "http://proxy.example.com:3128", "",
     "requests go through this HTTP proxy: https by CONNECT, http as a request for the whole URL (with http: \"2\" by "
     "CONNECT too). environment: what http_proxy, https_proxy, all_proxy and no_proxy of each agent say, as curl reads "
     "them; without this key they are not read"},
    {"target", "proxy_auth", &KEY_AUTH, AT(plan_target, proxy_auth), "", "{basic: {user: me, env: PROXY_PASSWORD}}", "",
     "for the proxy, as auth is for the server"},
    {"target", "address", &KEY_UNIX, AT(plan_target, address), "", "unix:/run/llm.sock", "",
     "a socket on the agent's machine to connect to, in place of the URL's host; agents take it only with --allow "
     "unix:PATH"},
    {"target", "host", &KEY_HOST, AT(plan_target, host), "", "llm.example.com", "",
     "what requests name as their host (Host, :authority), in place of the URL's"},
    {"target", "sni", &KEY_SERVER_NAME, AT(plan_target, sni), "", "llm.example.com", "",
     "https: the name that TLS asks for and that the certificate must be for, in place of the URL's host"},
    {"target", "metrics_url", &KEY_PAGE_URL, AT(plan_target, metrics_url), "", "http://gw.example.com/metrics", "",
     "the server's own Prometheus page, read once a second beside the run; by target.proxy too, but without its login"},

    {"template", "body", &KEY_TEMPLATE_BODY, AT(plan_target, template.body), NULL,
     "'{\"q\": {prompt}, \"n\": {output_tokens}}'", "",
     "the request's JSON; {prompt}, {messages}, {output_tokens} and {model} are filled in, as JSON, or within a string "
     "as a part of it",
     .flags = KEY_REQUIRED},
    {"template", "framing", &KEY_WORDS, AT(plan_target, template.framing), "sse", "ndjson", "",
     "how events lie in an answer: server-sent events; a JSON object in each line; one JSON value, which is the whole "
     "answer",
     .words = FRAMINGS},
    {"template", "text", &KEY_PATHS, AT(plan_target, template.paths[PLACE_TEXT]), NULL, "choices[].delta.content", "",
     "where the answer's text stands: a path, or a list of them", .flags = KEY_REQUIRED},
    {"template", "reasoning", &KEY_PATHS, AT(plan_target, template.paths[PLACE_REASONING]), "",
     "choices[].delta.reasoning", "", "the text of reasoning, before the visible one"},
    {"template", "tools", &KEY_PATHS, AT(plan_target, template.paths[PLACE_TOOLS]), "",
     "choices[].delta.tool_calls[].function.arguments", "", "tool calls"},
    {"template", "usage", &KEY_SECTION, WHOLE, "", "{output: usage.completion_tokens}", "",
     "the server's counts; without them each event with text is a token", .sub = "template.usage"},
    {"template", "error", &KEY_PATHS, AT(plan_target, template.paths[PLACE_ERROR]), "", "status.error", "",
     "anything here but null, false, 0 and nothing is an error; errors in well-known shapes are seen without it"},
    {"template", "finish", &KEY_PATHS, AT(plan_target, template.paths[PLACE_FINISH]), "", "choices[].finish_reason", "",
     "why the answer ended"},
    {"template", "end", &KEY_TEMPLATE_END, AT(plan_target, template), "needed, unless framing is json",
     "{data: \"[DONE]\"}", "",
     "what ends a stream: an event with these data; {event: NAME}; {finish: PATH}: the event in which something stands "
     "there; close: the body's end",
     .flags = KEY_TOLD},

    {"template.usage", "input", &KEY_PATHS, AT(plan_target, template.paths[PLACE_INPUT]), "", "usage.prompt_tokens", "",
     "tokens of the prompt"},
    {"template.usage", "output", &KEY_PATHS, AT(plan_target, template.paths[PLACE_OUTPUT]), "",
     "usage.completion_tokens", "", "tokens of the answer so far, those of reasoning among them"},
    {"template.usage", "cached", &KEY_PATHS, AT(plan_target, template.paths[PLACE_CACHED]), "",
     "usage.prompt_tokens_details.cached_tokens", "", "tokens of the prompt that came from a cache"},
    {"template.usage", "reasoning", &KEY_PATHS, AT(plan_target, template.paths[PLACE_THOUGHT]), "",
     "usage.completion_tokens_details.reasoning_tokens", "", "tokens of reasoning among those of the answer"},

    {"tls", "ca_file", &KEY_TEXT, AT(plan_target, tls_ca_file), "", "ca.pem", "",
     "authorities to trust, on the agent's machine; none: the system's"},
    {"tls", "cert_file", &KEY_TEXT, AT(plan_target, tls_cert_file), "", "client.pem", "",
     "the agent's own certificate"},
    {"tls", "key_file", &KEY_TEXT, AT(plan_target, tls_key_file), "", "client.key", "", "its key"},
    {"tls", "verify", &KEY_BOOL, AT(plan_target, tls_verify), "true", "false", "", "check the server's certificate"},

    {"tokenizer", "file", &KEY_TEXT, AT(plan_target, tokenizer.file), NULL, "tokenizer.json", "",
     "the model's tokenizer.json, on the coordinator's machine; a relative path starts at the plan's folder",
     .flags = KEY_REQUIRED},
    {"tokenizer", "sha256", &KEY_HASH, AT(plan_target, tokenizer.sha256), "",
     "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"", "",
     "of the file, filled in when it is read; another file is refused"},
    {"tokenizer", "words", &KEY_HASH, AT(plan_target, tokenizer.words), "",
     "\"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\"", "",
     "filled in when the file is read: which of the words that prompts are made of are one token, a bit for each"},
    {"tokenizer", "beside", &KEY_U32, AT(plan_target, tokenizer.beside), "", "1", "token",
     "filled in when the file is read: tokens that it puts around a text, such as a BOS; a part of the length asked "
     "for "
     "where prompts are sent as text and not as messages",
     .most = 1000, .flags = KEY_SKIP_ZERO},

    {"timeouts", "connect", &KEY_DURATION, AT(plan_target, timeout_connect_ns), "5s", "2s", "time", "name, TCP and TLS",
     .least = 1e-3, .most = DAY},
    {"timeouts", "first_token", &KEY_DURATION, AT(plan_target, timeout_first_token_ns), "60s", "20s", "time",
     "sent to first token", .least = 1e-3, .most = DAY},
    {"timeouts", "idle", &KEY_DURATION, AT(plan_target, timeout_idle_ns), "30s", "10s", "time",
     "between two tokens of a stream; other bytes do not count", .least = 1e-3, .most = DAY},
    {"timeouts", "total", &KEY_DURATION, AT(plan_target, timeout_total_ns), "10m", "2m", "time", "sent to done",
     .least = 1e-3, .most = DAY},

    {"workload", "name", &KEY_TEXT, AT(plan_workload, name), "default; in a list workload-1, workload-2 …", "chat", "",
     "in reports", .flags = KEY_TOLD},
    {"workload", "weight", &KEY_NUMBER, AT(plan_workload, weight), "1", "3", "", "its share of the mix", .least = 1e-6,
     .most = 1e6},
#define X(id, name, file, check, section, example, what)                                                               \
    {"workload", #name, &KEY_SOURCE, WHOLE, "", example, "", what, .sub = #name, .flags = KEY_TOLD},
#include "common/plan/source.def"
#undef X
    {"workload", "images", &KEY_SECTION, WHOLE, "", "{count: 1, width: 512, height: 512}", "",
     "pictures beside the text of each request, made from the seed; no two are the same", .sub = "images",
     .flags = KEY_OPTIONAL},
    {"workload", "audio", &KEY_SECTION, WHOLE, "", "{length: 5s}", "", "a sound beside the text of each request",
     .sub = "audio", .flags = KEY_OPTIONAL},
    {"workload", "sessions", &KEY_SESSIONS, WHOLE, "", "{turns: {uniform: [2, 6]}, think_time: {exponential: 4s}}", "",
     "conversations of several turns, made of the prompts of this workload", .sub = "sessions", .flags = KEY_OPTIONAL},

    {"sessions", "turns", &KEY_DIST, AT(plan_workload, sessions.turns), "", "{uniform: [2, 6]}", "request",
     "requests of a conversation; needed for synthetic prompts; of a data set at most as many as the record has, and "
     "all of them without it",
     .least = 1, .most = 10000, .flags = KEY_SKIP_ZERO},
    {"sessions", "think_time", &KEY_TIMES, AT(plan_workload, sessions.think_time), "", "{exponential: 4s}", "time",
     "between the end of an answer and the next turn; none: at once", .least = 1e-6, .most = DAY,
     .flags = KEY_SKIP_ZERO},
    {"sessions", "history", &KEY_WORD_FLAG, AT(plan_workload, sessions.recorded), "own", "recorded", "",
     "what goes out with a later turn as the answers before it: own: what the server answered; recorded: what the data "
     "set holds",
     .words = HISTORY},
    {"sessions", "concurrency", &KEY_WORD_FLAG, AT(plan_workload, sessions.by_request), "sessions", "requests", "",
     "what load.concurrency counts: sessions: a conversation holds its slot while its user thinks; requests: a slot is "
     "free with each answer, and the next turn takes one when it is due",
     .words = COUNTED},

    {"images", "count", &KEY_U32, AT(plan_workload, image_count), NULL, "1", "", "how many", .least = 1, .most = 64,
     .flags = KEY_REQUIRED | KEY_SKIP_ZERO},
    {"images", "width", &KEY_U32, AT(plan_workload, image_width), "512", "1024", "pixel", "of each", .least = 1,
     .most = 4096, .flags = KEY_SKIP_ZERO},
    {"images", "height", &KEY_U32, AT(plan_workload, image_height), "512", "768", "pixel", "of each", .least = 1,
     .most = 4096, .flags = KEY_SKIP_ZERO},
    {"images", "format", &KEY_ONE_WORD, NO_FIELD, "png", "png", "", "how they are written", .words = IMAGE_FORMATS},

    {"audio", "length", &KEY_DURATION, AT(plan_workload, audio_ns), NULL, "5s", "time", "how long it lasts",
     .least = 1e-2, .most = 600, .flags = KEY_REQUIRED | KEY_SKIP_ZERO},
    {"audio", "rate", &KEY_U32, AT(plan_workload, audio_rate), "16000", "24000", "sample/s", "one channel, 16 bits",
     .least = 8000, .most = 48000, .flags = KEY_SKIP_ZERO},
    {"audio", "format", &KEY_ONE_WORD, NO_FIELD, "wav", "wav", "", "how it is written", .words = AUDIO_FORMATS},

    {"dataset", "file", &KEY_TEXT, AT(plan_workload, data.file), NULL, "chats.json", "",
     "on the coordinator's machine; a relative path starts at the plan's folder", .flags = KEY_REQUIRED},
    {"dataset", "format", &KEY_WORDS, AT(plan_workload, data.dataset), NULL, "jsonl", "", "how the file is written",
     .words = DATASETS, .flags = KEY_REQUIRED},
    {"dataset", "fields", &KEY_FIELDS, AT(plan_workload, data), "", "{prompt: text, output_tokens: n}", "",
     "jsonl and csv: what the file calls prompt, system, messages, input_tokens and output_tokens"},
    {"dataset", "order", &KEY_WORDS, AT(plan_workload, data.order), "seeded", "sequential", "",
     "seeded: shuffled by the seed, each record once in a pass; sequential: as they stand", .words = ORDERS},
    {"dataset", "output_tokens", &KEY_DIST, AT(plan_workload, data.output_tokens), "",
     "{normal: {mean: 128, sd: 32, min: 1}}", "token",
     "length of the answer asked for; without it as each record says, and where it says nothing the server's limit",
     .least = 1, .most = 1e6, .flags = KEY_SKIP_ZERO},
    {"dataset", "skip", &KEY_FRACTION, AT(plan_workload, data.skip), "0", "1%", "",
     "part of the records that may be broken: they are named, counted and left out; more refuse the run", .most = 1},
    {"dataset", "sha256", &KEY_HASH, AT(plan_workload, data.sha256), "",
     "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"", "",
     "of the file; another file is refused"},
    {"dataset", "corpus", &KEY_HASH, AT(plan_workload, data.corpus), "",
     "\"a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a\"", "",
     "filled in when the file is read: the hash of what agents get"},
    {"dataset", "found", &KEY_SECTION, WHOLE, "", "{records: 990, broken: 10, first_broken: 'line 7: it is not JSON'}",
     "", "filled in when the file is read: how many records it has, and which were left out", .sub = "found",
     .flags = KEY_OPTIONAL},

    {"trace", "file", &KEY_TEXT, AT(plan_workload, data.file), NULL, "conversation.jsonl", "",
     "on the coordinator's machine; a relative path starts at the plan's folder", .flags = KEY_REQUIRED},
    {"trace", "format", &KEY_WORDS, AT(plan_workload, data.trace), NULL, "mooncake", "",
     "which trace it is; says the unit of its times too", .words = TRACES, .flags = KEY_REQUIRED},
    {"trace", "speed", &KEY_NUMBER, AT(plan_workload, data.speed), "1", "2", "",
     "2: the recorded times pass twice as fast", .least = 1e-3, .most = 1e6},
    {"trace", "from", &KEY_DURATION, AT(plan_workload, data.from_ns), "0", "10m", "time",
     "rows before this time of the trace are left out; the first row is at 0", .most = 366 * DAY},
    {"trace", "to", &KEY_DURATION, AT(plan_workload, data.to_ns), "", "20m", "time",
     "rows at or after this time are left out", .least = 1e-3, .most = 366 * DAY, .flags = KEY_SKIP_ZERO},
    {"trace", "zero_output", &KEY_WORDS, AT(plan_workload, data.zero_output), "drop", "one", "",
     "rows without an answer (failed when they were recorded) or without a prompt: left out and counted, or raised to "
     "one "
     "token",
     .words = ZEROS},
    {"trace", "max_think", &KEY_DURATION, AT(plan_workload, data.max_think_ns), "", "10s", "time",
     "session trees: of a recorded wait between requests (thinking, tools) no more than this is kept; speed comes on "
     "top",
     .most = 366 * DAY, .flags = KEY_SKIP_ZERO},
    {"trace", "max_idle", &KEY_DURATION, AT(plan_workload, data.max_idle_ns), "", "10s", "time",
     "session trees: no longer than this between the beginnings of two requests that follow one another in a tree; "
     "what comes later moves up, so that sub-agents overlap as recorded",
     .most = 366 * DAY, .flags = KEY_SKIP_ZERO},
    {"trace", "start", &KEY_WORDS, AT(plan_workload, data.start), "first", "random", "",
     "session trees: where the first tree of each lane begins: at its first request; random: anywhere in it, chosen by "
     "the seed, with the latest request of each of its agents sent to warm the cache",
     .words = STARTS},
    {"trace", "marker", &KEY_BOOL, AT(plan_workload, data.marker), "false", "true", "",
     "session trees: each play of a tree begins with words of its own, so that no server's cache knows it from the "
     "play before"},
    {"trace", "barrier", &KEY_BOOL, AT(plan_workload, data.barrier), "false", "true", "",
     "session trees with start: random: when the requests that warm the cache have ended, lanes wait for the end of "
     "the "
     "stage's warm-up and go on together, each with what is left of its pause"},
    {"trace", "skip", &KEY_FRACTION, AT(plan_workload, data.skip), "0", "1%", "",
     "part of the rows that may be broken: they are named, counted and left out; more refuse the run", .most = 1},
    {"trace", "sha256", &KEY_HASH, AT(plan_workload, data.sha256), "",
     "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"", "",
     "of the file; another file is refused"},
    {"trace", "corpus", &KEY_HASH, AT(plan_workload, data.corpus), "",
     "\"a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a\"", "",
     "filled in when the file is read: the hash of what agents get"},
    {"trace", "found", &KEY_SECTION, WHOLE, "", "{records: 990, broken: 10, first_broken: 'line 7: it is not JSON'}",
     "", "filled in when the file is read: how many rows it has, and which were left out", .sub = "found",
     .flags = KEY_OPTIONAL},

    {"found", "records", &KEY_U64, AT(plan_workload, data.found.records), "", "990", "record",
     "that requests are made of", .flags = KEY_SKIP_ZERO},
    {"found", "broken", &KEY_U64, AT(plan_workload, data.found.broken), "", "10", "record",
     "that cannot be read and were left out", .flags = KEY_SKIP_ZERO},
    {"found", "first_broken", &KEY_TEXT, AT(plan_workload, data.found.first_broken), "", "\"line 7: it is not JSON\"",
     "", "where the first of these is, and what is wrong with it"},
    {"found", "empty", &KEY_U64, AT(plan_workload, data.found.empty), "", "3", "record",
     "without an answer or a prompt, left out; of session trees their requests", .flags = KEY_SKIP_ZERO},
    {"found", "outside", &KEY_U64, AT(plan_workload, data.found.outside), "", "500", "record",
     "outside from and to, left out", .flags = KEY_SKIP_ZERO},

    {"synthetic", "input_tokens", &KEY_DIST, AT(plan_workload, input_tokens), "256",
     "{lognormal: {mean: 512, sd: 200, min: 16, max: 4096}}", "token", "length of the prompt", .least = 1, .most = 1e6,
     .flags = KEY_SKIP_ZERO},
    {"synthetic", "output_tokens", &KEY_DIST, AT(plan_workload, output_tokens), "128",
     "{normal: {mean: 128, sd: 32, min: 1}}", "token", "length of the answer asked for", .least = 1, .most = 1e6,
     .flags = KEY_SKIP_ZERO},
    {"synthetic", "lengths", &KEY_PAIRS, AT(plan_workload, lengths), "", "{histogram: pairs.csv}", "token",
     "both together, instead of input_tokens and output_tokens: long prompts with their short answers; a file with "
     "columns input_tokens, output_tokens and, if it is not 1, count; or pairs",
     .least = 1, .most = 1e6},
    {"synthetic", "shared_prefix", &KEY_SECTION, WHOLE, "", "{tokens: 256, groups: 8}", "", "none: every prompt is new",
     .sub = "shared_prefix", .flags = KEY_OPTIONAL},
    {"shared_prefix", "tokens", &KEY_U32, AT(plan_workload, prefix_tokens), NULL, "256", "token",
     "length of the prefix, a part of input_tokens", .least = 1, .most = 1e6, .flags = KEY_REQUIRED | KEY_SKIP_ZERO},
    {"shared_prefix", "groups", &KEY_U32, AT(plan_workload, prefix_groups), "1", "8", "",
     "how many different prefixes there are", .least = 1, .most = 1e6, .flags = KEY_SKIP_ZERO},

    {"normal", "mean", &KEY_NUMBER, AT(dist, a), NULL, "128", "of the field", "mean", .flags = KEY_REQUIRED},
    {"normal", "sd", &KEY_NUMBER, AT(dist, b), NULL, "32", "of the field", "standard deviation", .least = 0,
     .most = 1e9, .flags = KEY_REQUIRED},
    {"normal", "min", &KEY_NUMBER, AT(dist, min), "the field's minimum", "16", "of the field",
     "smaller samples become this", .flags = KEY_TOLD},
    {"normal", "max", &KEY_NUMBER, AT(dist, max), "the field's maximum", "4096", "of the field",
     "larger samples become this", .flags = KEY_TOLD},
    {"lognormal", "mean", &KEY_NUMBER, AT(dist, a), NULL, "512", "of the field", "mean", .flags = KEY_REQUIRED},
    {"lognormal", "sd", &KEY_NUMBER, AT(dist, b), NULL, "200", "of the field", "standard deviation", .least = 0,
     .most = 1e9, .flags = KEY_REQUIRED},
    {"lognormal", "min", &KEY_NUMBER, AT(dist, min), "the field's minimum", "16", "of the field",
     "smaller samples become this", .flags = KEY_TOLD},
    {"lognormal", "max", &KEY_NUMBER, AT(dist, max), "the field's maximum", "4096", "of the field",
     "larger samples become this", .flags = KEY_TOLD},
    {"exponential", "mean", &KEY_NUMBER, AT(dist, a), NULL, "128", "of the field", "mean", .flags = KEY_REQUIRED},
    {"exponential", "min", &KEY_NUMBER, AT(dist, min), "the field's minimum", "1", "of the field",
     "smaller samples become this", .flags = KEY_TOLD},
    {"exponential", "max", &KEY_NUMBER, AT(dist, max), "the field's maximum", "4096", "of the field",
     "larger samples become this", .flags = KEY_TOLD},

    {"load", "stages", &KEY_STAGES, WHOLE, "", "[{concurrency: 64, duration: 60s}]", "", "stages one after the other",
     .sub = "stage", .flags = KEY_ELSEWHERE},
    {"load", "search", &KEY_SEARCH, AT(plan, search), "", "{maximize: output_tokens_per_second, within: slo}", "",
     "a question instead of a load", .sub = "search", .flags = KEY_ELSEWHERE},
    {"load", "cancel", &KEY_SECTION, WHOLE, "", "{fraction: 2%, after: {exponential: 1s}}", "",
     "users who go away before their answer has ended; their requests are counted apart, and are not failures",
     .sub = "cancel", .flags = KEY_OPTIONAL},
    {"load", "retries", &KEY_SECTION, WHOLE, "", "{max: 2, budget: 10%, after: [429, 503]}", "",
     "failed requests that are sent again; none: nothing is", .sub = "retries", .flags = KEY_OPTIONAL},
    {"load", "scenario", &KEY_WORDS, AT(plan, scenario), "none", "agentx", "",
     "a benchmark by whose rules the run is judged: the answer and the reports say what of them it does not keep; "
     "agentx: "
     "the AgentX scenario of InferenceX",
     .words = SCENARIOS, .flags = KEY_SKIP_ZERO},
    {"load", "repeats", &KEY_U32, AT(plan, repeats), "1", "3", "",
     "each stage is run this many times, for the spread between runs", .least = 1, .most = 100},
    {"load", "cooldown", &KEY_DURATION, AT(plan, cooldown_ns), "1s", "5s", "time", "pause between stages",
     .most = 3600},
    {"load", "drain", &KEY_DURATION, AT(plan, drain_ns), "30s", "60s", "time",
     "longest wait for open requests after a stage", .most = 3600},

    {"cancel", "fraction", &KEY_FRACTION, AT(plan, cancel_fraction), NULL, "2%", "", "part of the requests",
     .least = 1e-6, .most = 1, .flags = KEY_REQUIRED | KEY_SKIP_ZERO},
    {"cancel", "after", &KEY_TIMES, AT(plan, cancel_after), NULL, "{exponential: 1s}", "time",
     "from the request's sending: the connection is closed then, unless the answer has ended", .least = 1e-6,
     .most = DAY, .flags = KEY_REQUIRED | KEY_SKIP_ZERO},

    {"retries", "max", &KEY_U32, AT(plan, retries.max), NULL, "2", "", "tries of a request beyond its first",
     .least = 1, .most = 100, .flags = KEY_REQUIRED | KEY_SKIP_ZERO},
    {"retries", "budget", &KEY_FRACTION, AT(plan, retries.budget), "10%", "20%", "",
     "retries in all, as a part of the requests sent so far (of each worker, and one more); beyond it a request fails, "
     "and is counted as retries_denied",
     .least = 1e-6, .most = 100, .flags = KEY_SKIP_ZERO},
    {"retries", "after", &KEY_RETRY_AFTER, AT(plan, retries), "[429, 503]", "[429, 503, reset]", "",
     "HTTP statuses, and labels of failures in the ledger", .flags = KEY_TOLD},
    {"retries", "wait", &KEY_DURATION, AT(plan, retries.wait_ns), "100ms", "1s", "time",
     "before the first retry; twice as long before each further one, and as long as a Retry-After says where that is "
     "more",
     .least = 1e-3, .most = 3600, .flags = KEY_SKIP_ZERO},

    {"stage", "concurrency", &KEY_U32, AT(plan_stage, concurrency), "", "64", "request",
     "closed loop: requests held in flight by all agents together; a list in `load` is a sweep", .least = 1,
     .most = 1e6, .flags = KEY_CLOSED},
    {"stage", "rate", &KEY_RATE, WHOLE, "", "25/s", "request/s",
     "open loop: arrivals of all agents together; {from, to} is a ramp; a list in `load` is a sweep",
     .flags = KEY_OPEN},
    {"stage", "arrivals", &KEY_ARRIVALS, WHOLE, "poisson", "{gamma: {burstiness: 0.5}}", "",
     "constant, poisson, or gamma: burstiness is its shape, 1 is poisson, less is burstier; recorded: a trace's own "
     "times, without a rate",
     .flags = KEY_OPEN},
    {"stage", "max_concurrency", &KEY_U32, AT(plan_stage, max_concurrency), "", "512", "request",
     "cap on what is in flight; none: no cap", .least = 1, .most = 1e6, .flags = KEY_OPEN | KEY_SKIP_ZERO},
    {"stage", "duration", &KEY_STAGE_DURATION, WHOLE, "", "60s", "time",
     "length without the drain; auto: until the gated metrics are known well enough, at most 5m ({auto: {limit: "
     "10m}}); steady: until the time per token held its level over a window of 60s, at most 10m ({steady: {window: "
     "60s, "
     "limit: 10m}})"},
    {"stage", "requests", &KEY_U64, AT(plan_stage, requests), "", "1000", "request",
     "ends after so many; with a duration too, whichever comes first", .least = 1, .most = 1e12,
     .flags = KEY_SKIP_ZERO},
    {"stage", "passes", &KEY_U32, AT(plan_stage, passes), "", "5", "",
     "ends after so many passes over the data set; with requests or a duration too, whichever comes first", .least = 1,
     .most = 1e6, .flags = KEY_SKIP_ZERO},
    {"stage", "ramp", &KEY_DURATION, AT(plan_stage, ramp_ns), "0", "5s", "time",
     "fills the slots evenly over this time, within the warm-up", .most = DAY, .flags = KEY_CLOSED},
    {"stage", "warmup", &KEY_WARMUP, WHOLE, "10% of the duration, at most 10s, at least the ramp; 0 without a duration",
     "10s", "time",
     "cut from the measured window; auto: the default, and what MSER-5 finds beyond it in a window of 30 s or more",
     .flags = KEY_TOLD},

    {"search", "maximize", &KEY_WORDS, NO_FIELD, "output_tokens_per_second", "output_tokens_per_second", "",
     "what is to be great", .words = MAXIMIZE},
    {"search", "within", &KEY_WORDS, NO_FIELD, "slo", "slo", "", "what must hold", .words = WITHIN},
    {"search", "plateau", &KEY_SECTION, WHOLE, "", "{from: 1, to: 512}", "",
     "instead of maximize and within: doubles until throughput stops rising; takes over, from, to and tolerance",
     .sub = "search", .flags = KEY_ELSEWHERE},
    {"search", "over", &KEY_WORD_FLAG, AT(plan_search, over_rate), "concurrency", "rate", "", "the load that is varied",
     .words = OVER},
    {"search", "from", &KEY_AMOUNT, AT(plan_search, from), "1", "4", "request or request/s", "minimum load",
     .least = 1e-3, .most = 1e6},
    {"search", "to", &KEY_AMOUNT, AT(plan_search, to), "4096", "512", "request or request/s", "maximum load",
     .least = 1e-3, .most = 1e6},
    {"search", "tolerance", &KEY_FRACTION, AT(plan_search, tolerance), "5%", "2%", "", "how near the answer must be",
     .least = 1e-3, .most = 0.5},

    {"curve", "curve", &KEY_WORDS, NO_FIELD, NULL, "mlperf-endpoints", "",
     "concurrencies placed by the regions of MLPerf Endpoints, from ultra low to high, then Offline", .words = CURVES,
     .flags = KEY_REQUIRED},
    {"curve", "max_concurrency", &KEY_U32, AT(plan_curve, max_concurrency), NULL, "256", "request",
     "the maximum concurrency, which the rules call C_max", .least = 33, .most = 1e6, .flags = KEY_REQUIRED},
    {"curve", "min_concurrency", &KEY_U32, AT(plan_curve, min_concurrency), "1", "4", "request",
     "the least, C_min: the point in ultra low", .least = 1, .most = 32},
    {"curve", "points", &KEY_U32, AT(plan_curve, points), "8", "12", "",
     "of the curve, Offline among them; the rules ask for 8, or for 7 where Offline is elected", .least = 5,
     .most = 32},
    {"curve", "scale", &KEY_NUMBER, AT(plan_curve, scale), "1", "0.01", "",
     "of all times: the rules ask for a steady window of 10m up to a concurrency of 32 and of 20m above, for which a "
     "point "
     "takes twice as long at most; below 1 the result "
     "is "
     "called not to the rules",
     .least = 1e-3, .most = 1},
    {"curve", "offline", &KEY_WORDS, AT(plan_curve, offline), "auto", "elected", "",
     "all: a last point asks for the whole data set at once; elected: the point at max_concurrency stands for it; "
     "auto: "
     "all with a data set, else elected",
     .words = OFFLINE},
    {"curve", "passes", &KEY_U32, AT(plan_curve, passes), "", "5", "",
     "each point ends after so many passes over the data set instead of after a time: the rules want whole passes, at "
     "least 5, and the time as well",
     .least = 1, .most = 1e6, .flags = KEY_SKIP_ZERO},
    {"curve", "samples", &KEY_U64, AT(plan_curve, samples), "", "1000", "request",
     "what one pass is; filled in when a data set is read", .least = 1, .most = 1e9, .flags = KEY_SKIP_ZERO},
    {"curve", "warmup", &KEY_DURATION, AT(plan_curve, warmup_ns), "30s", "60s", "time",
     "before each window, shortened by scale; none where passes end a point", .most = 3600},

    {"slo", "request", &KEY_SECTION, WHOLE, "", "{ttft: 500ms, tpot: 50ms}", "", "of each request (goodput)",
     .sub = "slo.request"},
    {"slo", "run", &KEY_GATES, WHOLE, "", "[ttft.p99 < 800ms, errors.rate < 1%]", "",
     "of the run: decides the exit status"},
    {"slo", "inconclusive", &KEY_WORDS, AT(plan, on_inconclusive), "fail", "pass", "",
     "what a gate means for the exit status when the sample is too small to decide it", .words = INCONCLUSIVE},
    {"slo", "require", &KEY_WORDS, AT(plan, require), "auto", "all", "",
     "any: one load that keeps every gate is enough; all: every load must; auto: any in a sweep of several loads and "
     "in a "
     "search, else all",
     .words = REQUIRE},
    {"slo", "capacity", &KEY_CAPACITY, WHOLE, "", "\">= 5000 token/s\"", "token/s or requests/s",
     "of the answer: the load that the endpoint carries within the gates of run (without gates: the maximum "
     "throughput)"},
    {"slo", "abort_on_fail", &KEY_DURATION, AT(plan, abort_on_fail_ns), "", "30s", "time",
     "ends the run when a stage breaks a gate, clear of chance, so long into its window; where slo.require is any the "
     "run continues, to learn where the limit is",
     .least = 1, .most = DAY, .flags = KEY_SKIP_ZERO},
    {"slo.request", "ttft", &KEY_DURATION, AT(plan, slo_request_ns[SLO_TTFT]), "", "500ms", "time",
     "to the first token", .least = 1e-6, .most = DAY, .flags = KEY_SKIP_ZERO},
    {"slo.request", "tpot", &KEY_DURATION, AT(plan, slo_request_ns[SLO_TPOT]), "", "50ms", "time", "per output token",
     .least = 1e-6, .most = DAY, .flags = KEY_SKIP_ZERO},
    {"slo.request", "e2e", &KEY_DURATION, AT(plan, slo_request_ns[SLO_E2E]), "", "10s", "time", "to the last token",
     .least = 1e-6, .most = DAY, .flags = KEY_SKIP_ZERO},

    {"cost", "gpus", &KEY_NUMBER, AT(plan, gpus), NULL, "4", "", "how many the endpoint uses", .least = 1e-3,
     .most = 1e6, .flags = KEY_REQUIRED | KEY_SKIP_ZERO},
    {"cost", "per_gpu_hour", &KEY_MONEY, WHOLE, NULL, "2.50 USD", "currency", "price of one for an hour",
     .flags = KEY_REQUIRED},

    {"agents", "count", &KEY_U32, AT(plan, agents_count), "1", "8", "", "a run waits for so many", .least = 1,
     .most = 10000},
    {"agents", "wait", &KEY_DURATION, AT(plan, agents_wait_ns), "2m", "5m", "time", "and so long", .least = 0.1,
     .most = DAY},
    {"agents", "on_loss", &KEY_WORDS, AT(plan, on_loss), "retry", "mark", "",
     "when one dies: run the stage again with the others, mark it degraded, or fail the run", .words = LOSS},
    {"agents", "max_lost_weight", &KEY_FRACTION, AT(plan, max_lost_weight), "50%", "25%", "",
     "part of the cluster that may be lost before the run fails", .most = 1},
    {"agents", "quantum", &KEY_DURATION, AT(plan, quantum_ns), "500us", "1ms", "time",
     "agents under load wake at most once in this time unless something is due; 0: for every packet", .most = 1},

    {"record", "requests", &KEY_BOOL, AT(plan, record_requests), "false", "true", "",
     "one row for each request in the run's file: times, tokens, outcome, address"},
    {"record", "sample", &KEY_FRACTION, AT(plan, record_sample), "", "1%", "",
     "rows of a part of the requests, chosen by the seed; without `requests` it asks for rows too", .least = 1e-6,
     .most = 1, .flags = KEY_SKIP_ZERO},
    {"record", "rows", &KEY_U64, AT(plan, record_rows), "1000000", "5000000", "row",
     "of a run, at most; what there is no room for is counted", .least = 1, .most = 1e9},

    {"verdict", "lateness", &KEY_DURATION, AT(plan, verdict_lateness_ns), "1ms", "2ms", "time",
     "p99 that is allowed, or 1% of p50 of ttft (closed loop: e2e) if that is more", .most = 60},
    {"verdict", "lag", &KEY_DURATION, AT(plan, verdict_lag_ns), "1ms", "2ms", "time",
     "p99 that is allowed, or 2% of the itl's p50 if that is more", .most = 60},
    {"verdict", "achieved", &KEY_FRACTION, AT(plan, verdict_achieved), "2%", "5%", "",
     "how far the load may be from the requested one", .most = 1},
};
const size_t PLAN_KEYS_N = sizeof PLAN_KEYS / sizeof *PLAN_KEYS;

const struct plan_section *key_section(const char *name)
{
    for (size_t i = 0; i < PLAN_SECTIONS_N; i++)
        if (strcmp(PLAN_SECTIONS[i].name, name) == 0) return &PLAN_SECTIONS[i];
    return NULL;
}

const struct plan_key *key_find(const char *section, const char *name)
{
    for (size_t i = 0; i < PLAN_KEYS_N; i++)
        if (strcmp(PLAN_KEYS[i].section, section) == 0 && strcmp(PLAN_KEYS[i].name, name) == 0) return &PLAN_KEYS[i];
    return NULL;
}
