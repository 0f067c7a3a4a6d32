"""The clients: how each is installed, what it is told to do, and where in its files the figures stand.

Every one gets the same load: `requests` requests of one prompt, `tokens` tokens of output each, at most `streams` at a time. Settings are those that its documents
recommend for that; a client that can begin its streams over a second is told to. Figures are in ms: mean, p50 and p99 of `ttft`, `tpot` ((last - first token) /
(tokens - 1)), `itl` (one sample per token but the first), `e2e`. A figure that a client does not have, or defines otherwise, is left out.
"""
import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess

PROMPT = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
PATH = "v1/chat/completions"


class Skip(Exception):
    """The client cannot be had here; the text says why."""


@dataclasses.dataclass
class Load:
    url: str
    streams: int
    requests: int
    tokens: int
    dir: pathlib.Path  # of this run, empty
    tokenizer: pathlib.Path
    cores: int  # how many the client has
    model: str = "sim"
    prompts: tuple = (PROMPT,)  # in turns
    ramp: bool = True  # streams begin over a second, where the client can be told to
    ignore_eos: bool = False  # of a real server, so that answers have all their tokens

    def body(self):
        file = self.dir / "body.json"
        file.write_text(json.dumps({"model": self.model, "messages": [{"role": "user", "content": self.prompts[0]}], "max_tokens": self.tokens, "stream": True,
                                    "stream_options": {"include_usage": True}}))
        return file

    def lines(self, key, n=0):
        """A file of n prompts, or of each once."""
        file = self.dir / "prompts.jsonl"
        file.write_text("".join(json.dumps({key: self.prompts[i % len(self.prompts)]}) + "\n" for i in range(n or len(self.prompts))))
        return file


def make_tokenizer(directory, unknown="?"):
    """A tokenizer that costs nothing to load: words. Also where the hub's cache would have it, for clients that look there only."""
    vocabulary = {word: i for i, word in enumerate(dict.fromkeys([unknown, *PROMPT.split()]))}
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "tokenizer.json").write_text(json.dumps({
        "version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "Whitespace"}, "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": unknown}}))
    (directory / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast", "unk_token": unknown, "chat_template": "{% for m in messages %}{{ m['content'] }}{% endfor %}"}))
    hub = directory / "hub/models--peers--words"
    (hub / "refs").mkdir(parents=True, exist_ok=True)
    (hub / "snapshots").mkdir(exist_ok=True)
    (hub / "refs/main").write_text("0")
    if not (hub / "snapshots/0").exists():
        (hub / "snapshots/0").symlink_to(directory.resolve())
    return directory


def three(d, mean, p50, p99, scale=1.0):
    """Of a mapping, those that it has."""
    values = [d.get(k) for k in (mean, p50, p99)] if d else []
    return {q: float(v) * scale for q, v in zip(("mean", "p50", "p99"), values) if v is not None}


def the_only(directory, pattern):
    found = sorted(directory.glob(pattern))
    if not found:
        raise Skip(f"left no {pattern}")
    return json.loads(found[-1].read_text())


class Client:
    name = version = ""
    accepts = (0,)  # exit statuses of a run whose figures can be read

    def install(self, cache, options):
        raise NotImplementedError

    def command(self, load):
        raise NotImplementedError

    def environment(self, load):
        return {}

    def read(self, load):
        raise NotImplementedError


UV = "0.13.8"  # installs a hundred packages in seconds, and keeps those that several clients need once


class Python(Client):
    """From PyPI, in an environment of its own."""
    packages = ()
    without = ()  # installed without what they ask for

    def installer(self, cache, options):
        uv = cache / f"uv-{UV}/bin/uv"
        if not uv.exists():
            self.run(options, [options.python, "-m", "venv", uv.parent.parent])
            self.run(options, [uv.parent / "pip", "install", "-q", "--disable-pip-version-check", f"uv=={UV}"])
        return uv

    def install(self, cache, options):
        self.venv = cache / f"{self.name}-{self.version}"
        failure = self.venv / "failed"
        if failure.exists() and not options.again:
            raise Skip(failure.read_text().strip())
        if not (self.venv / "installed").exists():
            shutil.rmtree(self.venv, ignore_errors=True)
            try:
                uv = self.installer(cache, options)
                self.run(options, [uv, "venv", "-q", "--python", options.python, self.venv])
                pip, here = [uv, "pip"], ["--python", self.venv / "bin/python"]
                if self.packages:
                    self.run(options, [*pip, "install", "-q", *here, *self.packages])
                if self.without:
                    self.run(options, [*pip, "install", "-q", *here, "--no-deps", *self.without])
                frozen = subprocess.run([*pip, "freeze", *here], capture_output=True, text=True, check=True).stdout
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as e:
                said = (getattr(e, "stderr", None) or str(e)).strip().splitlines()
                wrong = [line for line in said if "error" in line.lower()] or said
                shutil.rmtree(self.venv, ignore_errors=True)
                self.venv.mkdir()
                failure.write_text(f"does not install: {wrong[-1][:200]}\n")
                raise Skip(failure.read_text().strip()) from e
            (self.venv / "packages.txt").write_text(frozen)
            (self.venv / "installed").touch()
        if self.without:
            try:
                subprocess.run([str(c) for c in self.asks_help()], check=True, capture_output=True, text=True, timeout=120)
            except (OSError, subprocess.SubprocessError) as e:
                said = (getattr(e, "stderr", None) or str(e)).strip().splitlines()
                raise Skip(f"does not run without its server and torch, which are gigabytes: {said[-1][:200]}") from e

    @staticmethod
    def run(options, command):
        subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True, timeout=options.install_limit)

    def program(self, name):
        return self.venv / "bin" / name

    def environment(self, load):
        return {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_CACHE": str(load.tokenizer / "hub"), "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1",
                "TOKENIZERS_PARALLELISM": "false", "OPENAI_API_KEY": "none", "PATH": f"{self.venv / 'bin'}:{os.environ['PATH']}"}


class Plateau(Client):
    name = "plateau"
    accepts = (0, 3)  # 3: it calls its own figures invalid, which is a column here

    def install(self, cache, options):
        self.bin = options.build / "bin"
        self.version = re.search(r"\d+\.\d+\.\d+", subprocess.run([self.bin / "plateau", "--version"], capture_output=True, text=True, check=True).stdout).group()

    def command(self, load):
        ramp = "1s" if load.ramp and load.streams > 1 else "0s"
        body = ", body: {ignore_eos: true}" if load.ignore_eos else ""
        (load.dir / "plan.yaml").write_text(
            f'plan: 1\ntarget: {{url: "{load.url}/{PATH}", model: {load.model}{body}}}\n'
            f'workload: {{dataset: {{file: "{load.lines("prompt")}", format: jsonl, fields: {{prompt: prompt}}, output_tokens: {load.tokens}}}}}\n'
            f"load: {{stages: [{{concurrency: {load.streams}, requests: {load.requests}, ramp: {ramp}}}]}}\n")
        return [self.bin / "plateau", "run", load.dir / "plan.yaml", "--local", 1, "--no-probe", "--out", load.dir / "run", "--data", load.dir / "data"]

    def read(self, load):
        point = json.loads((load.dir / "run/summary.json").read_text())["points"][0]
        return {"completed": point["ledger"]["ok"], "counted": point["window"]["ok"], "verdict": point["verdict"]["status"],
                "output_tps": point["output_tokens_per_s"], **{k: three(point[f"{k}_ms"], "mean", "p50", "p99") for k in ("ttft", "tpot", "itl", "e2e")}}


class AIPerf(Python):
    name, version = "aiperf", "0.13.0"
    packages = ("aiperf==0.13.0",)

    def command(self, load):
        ramp = ["--concurrency-ramp-duration", 1] if load.ramp and load.streams > 1 else []
        eos = ["ignore_eos:true"] if load.ignore_eos else []
        return [self.program("aiperf"), "profile", "--url", load.url, "--model", load.model, "--tokenizer", "peers/words", "--endpoint-type", "chat", "--streaming",
                "--input-file", load.lines("text"), "--custom-dataset-type", "single_turn", "--extra-inputs", f"max_tokens:{load.tokens}", *eos,
                "--request-count", load.requests, "--concurrency", load.streams, *ramp, "--use-server-token-count", "--ui", "none", "--no-gpu-telemetry",
                "--no-server-metrics", "--export-level", "summary", "--artifact-dir", load.dir / "artifacts"]

    def read(self, load):
        d = the_only(load.dir / "artifacts", "**/profile_export_aiperf.json")
        return {"completed": int(d["request_count"]["avg"]), "output_tps": d["output_token_throughput"]["avg"], "ttft": three(d["time_to_first_token"], "avg", "p50", "p99"),
                "tpot": three(d.get("inter_token_latency"), "avg", "p50", "p99"), "itl": three(d.get("inter_chunk_latency"), "avg", "p50", "p99"),
                "e2e": three(d["request_latency"], "avg", "p50", "p99")}


class GuideLLM(Python):
    name, version = "guidellm", "0.8.1"
    packages = ("guidellm==0.8.1",)

    def command(self, load):
        return [self.program("guidellm"), "run", "--backend", f"kind=openai_http,target={load.url},model=sim",
                "--profile", f"kind=concurrent,streams={load.streams},rampup_duration={1 if load.streams > 1 else 0}",
                "--constraint", f"kind=max_requests,count={load.requests}", "--tokenizer", f"kind=huggingface_auto,model={load.tokenizer}",
                "--data", f"kind=synthetic_text,prompt_tokens=16,output_tokens={load.tokens}", "--output", f"kind=json,path={load.dir / 'result.json'}",
                "--disable-console"]

    def read(self, load):
        m = json.loads((load.dir / "result.json").read_text())["benchmarks"][0]["metrics"]

        def of(name, scale=1.0):
            d = m[name]["successful"]
            return three({"mean": d["mean"], **d["percentiles"]}, "mean", "p50", "p99", scale)
        return {"completed": m["request_totals"]["successful"], "ttft": of("time_to_first_token_ms"), "tpot": of("inter_token_latency_ms"),
                "e2e": of("request_latency", 1e3)}


class VllmLike(Python):
    """The result file of vLLM's client; SGLang's came from it."""

    def read(self, load):
        d = the_only(load.dir, "result*.json")
        return {"completed": d["completed"], "output_tps": d["output_throughput"], **{k: three(d, f"mean_{name}_ms", f"median_{name}_ms", f"p99_{name}_ms")
                                                                              for k, name in (("ttft", "ttft"), ("tpot", "tpot"), ("itl", "itl"), ("e2e", "e2el"))}}


class Vllm(VllmLike):
    name, version = "vllm", "0.33.0"
    packages = ("aiohttp", "numpy", "tqdm", "transformers", "pandas", "datasets", "regex", "pillow", "pydantic", "cloudpickle", "psutil")
    without = ("vllm==0.33.0",)

    def start(self):
        return [self.program("vllm")]

    def asks_help(self):
        return [*self.start(), "bench", "serve", "--help"]

    def command(self, load):
        ramp = ["--request-rate", load.streams, "--burstiness", 1000] if load.ramp and load.streams > 1 else []
        return [*self.start(), "bench", "serve", "--backend", "openai-chat", "--base-url", load.url, "--endpoint", f"/{PATH}", "--model", load.model,
                "--tokenizer", load.tokenizer, "--dataset-name", "custom", "--dataset-path", load.lines("prompt", load.requests), "--custom-output-len", load.tokens,
                "--num-prompts", load.requests, "--max-concurrency", load.streams, *ramp, *(["--ignore-eos"] if load.ignore_eos else []),
                "--skip-chat-template", "--disable-tqdm", "--percentile-metrics", "ttft,tpot,itl,e2el", "--save-result",
                "--result-dir", load.dir, "--result-filename", "result.json"]


class VllmRust(Vllm):
    """The same client in Rust: a program in the same package, which needs nothing else of it."""
    name = "vllm-rs"
    packages = ()

    def start(self):
        return [*self.venv.glob("lib/python*/site-packages/vllm/vllm-rs")][:1] or [self.program("vllm-rs")]


class Sglang(VllmLike):
    name, version = "sglang", "0.5.23"
    packages = ("aiohttp", "numpy", "tqdm", "transformers", "requests", "pillow", "pybase64", "datasets", "orjson", "pydantic", "psutil")
    without = ("sglang==0.5.23",)

    def asks_help(self):
        return [self.program("python"), "-m", "sglang.bench_serving", "--help"]

    def command(self, load):
        file = load.dir / "custom.jsonl"
        line = {"conversations": [{"content": PROMPT}, {"content": " ".join(["one"] * load.tokens)}]}
        file.write_text((json.dumps(line) + "\n") * load.requests)
        return [self.program("python"), "-m", "sglang.bench_serving", "--backend", "sglang-oai-chat", "--base-url", load.url, "--model", "sim",
                "--tokenizer", load.tokenizer, "--dataset-name", "custom", "--dataset-path", file, "--sharegpt-output-len", load.tokens,
                "--num-prompts", load.requests, "--max-concurrency", load.streams, "--disable-tqdm", "--output-file", load.dir / "result.json", "--warmup-requests", 0]


class InferencePerf(Python):
    name, version = "inference-perf", "0.7.0"
    packages = ("inference-perf==0.7.0",)

    def command(self, load):
        (load.dir / "config.yml").write_text(
            f"load:\n  type: concurrent\n  num_workers: {load.cores}\n  stages:\n  - {{num_requests: {load.requests}, concurrency_level: {load.streams}}}\n"
            f"api: {{type: completion, streaming: true}}\nserver: {{type: vllm, model_name: sim, base_url: '{load.url}', ignore_eos: true}}\n"
            f"tokenizer: {{pretrained_model_name_or_path: {load.tokenizer}}}\n"
            "data:\n  type: random\n"
            "  input_distribution: {min: 16, max: 16, mean: 16, std_dev: 0, total_count: %d}\n"
            "  output_distribution: {min: %d, max: %d, mean: %d, std_dev: 0, total_count: %d}\n" % (load.requests, *[load.tokens] * 3, load.requests) +
            f"storage: {{local_storage: {{path: {load.dir / 'reports'}}}}}\n"
            "report: {request_lifecycle: {summary: true, per_stage: false, per_request: false}}\n")
        return [self.program("inference-perf"), "--config_file", load.dir / "config.yml"]

    def read(self, load):
        ok = the_only(load.dir / "reports", "**/summary_lifecycle_metrics.json")["successes"]

        def of(name):
            return three(ok["latency"].get(name), "mean", "median", "p99", 1e3)
        return {"completed": ok["count"], "ttft": of("time_to_first_token"), "tpot": of("time_per_output_token"), "itl": of("inter_token_latency"),
                "e2e": of("request_latency")}


class GenaiBench(Python):
    name, version = "genai-bench", "0.0.5"
    packages = ("genai-bench==0.0.5",)

    def command(self, load):
        return [self.program("genai-bench"), "benchmark", "--api-backend", "openai", "--api-base", load.url, "--api-key", "none", "--api-model-name", "sim",
                "--model-tokenizer", load.tokenizer, "--task", "text-to-text", "--num-concurrency", load.streams, "--traffic-scenario", f"D(16,{load.tokens})",
                "--max-time-per-run", 5, "--max-requests-per-run", load.requests, "--experiment-base-dir", load.dir / "experiments"]

    def read(self, load):
        for file in sorted((load.dir / "experiments").glob("**/*.json")):
            d = json.loads(file.read_text()).get("aggregated_metrics")
            if d:
                s = d["stats"]

                def of(name):
                    return three(s.get(name), "mean", "p50", "p99", 1e3)
                return {"completed": d["num_completed_requests"], "ttft": of("ttft"), "tpot": of("tpot"), "e2e": of("e2e_latency")}
        raise Skip("left no aggregated_metrics")


class Evalscope(Python):
    name, version = "evalscope", "1.14.1"
    packages = ("evalscope[perf]==1.14.1",)

    def command(self, load):
        file = load.dir / "prompts.txt"
        file.write_text((PROMPT + "\n") * load.requests)
        return [self.program("evalscope"), "perf", "--url", f"{load.url}/{PATH}", "--api", "openai", "--model", "sim", "--stream", "--parallel", load.streams,
                "--number", load.requests, "--dataset", "line_by_line", "--dataset-path", file, "--max-tokens", load.tokens, "--tokenizer-path", load.tokenizer,
                "--max-prompt-length", 100000, "--outputs-dir", load.dir / "outputs", "--no-test-connection"]

    def read(self, load):
        summary = the_only(load.dir / "outputs", "**/benchmark_summary.json")
        rows = {r["Percentiles"]: r for r in the_only(load.dir / "outputs", "**/benchmark_percentile.json")}

        def of(name, scale=1.0):
            return three({"mean": summary.get(f"Avg {name}"), "p50": rows["50%"].get(name), "p99": rows["99%"].get(name)}, "mean", "p50", "p99", scale)
        return {"completed": summary["Success Requests"], "ttft": of("TTFT (ms)"), "tpot": of("TPOT (ms)"), "itl": of("ITL (ms)"), "e2e": of("Latency (s)", 1e3)}


class MlperfClient(Client):
    name, version = "mlperf-client", ""

    def install(self, cache, options):
        if not options.mlperf_client:
            raise Skip("is in no package registry; --mlperf-client FOLDER names an environment that has it")
        self.bin = options.mlperf_client / "bin"
        if not (self.bin / "inference-endpoint").exists():
            raise Skip(f"{self.bin} has no inference-endpoint")

    def environment(self, load):
        return {"HF_HUB_OFFLINE": "1", "PATH": f"{self.bin}:{os.environ['PATH']}"}

    def command(self, load):
        (load.dir / "config.yaml").write_text(
            "name: peers\ntype: online\n"
            f"model_params: {{name: sim, max_new_tokens: {load.tokens}, streaming: 'on', tokenizer_name: {load.tokenizer}}}\n"
            f"datasets: [{{name: perf, type: performance, path: {load.lines('text_input', load.requests)}, parser: {{prompt: text_input}}}}]\n"
            f"settings:\n  runtime: {{min_duration_ms: 0, n_samples_to_issue: {load.requests}}}\n"
            f"  load_pattern: {{type: concurrency, target_concurrency: {load.streams}}}\n"
            "  client: {num_workers: 2, stream_all_chunks: true, warmup_connections: 0, worker_initialization_timeout: 200}\n"
            f"endpoint_config: {{endpoints: ['{load.url}'], api_type: openai}}\nreport_dir: {load.dir / 'out'}\nenable_cpu_affinity: false\n")
        return [self.bin / "inference-endpoint", "benchmark", "from-config", "-c", load.dir / "config.yaml"]

    def read(self, load):
        d = the_only(load.dir / "out", "**/result_summary.json")

        def of(name):
            s = d[name]
            p = {float(k): v for k, v in s["percentiles"].items()}
            return {"mean": s["avg"] / 1e6, "p50": p[50.0] / 1e6, "p99": p[99.0] / 1e6}
        return {"completed": d["n_samples_completed"], "ttft": of("ttft"), "e2e": of("latency")}


class Program(Client):
    """A program that $PATH or an option has, or that an ordinary client of its registry builds."""

    def install(self, cache, options):
        given = getattr(options, self.name)
        built = cache / f"{self.name}-{self.version}/bin/{self.name}"
        found = given or (built if built.exists() else None) or shutil.which(self.name)
        if not found:
            found = self.build(built, options)
        self.file = pathlib.Path(found)
        said = subprocess.run([self.file, *self.asks_version], capture_output=True, text=True, check=False)
        self.version = (re.findall(r"\d+\.\d+\.\d+", said.stdout) or [self.version])[0]

    asks_version = ("--version",)

    def build(self, built, options):
        raise Skip("is not installed")

    @staticmethod
    def make(command, environment, options):
        if not shutil.which(command[0]):
            raise Skip(f"is not installed, and there is no {command[0]} to build it")
        try:
            subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True, env={**os.environ, **environment}, timeout=options.install_limit)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as e:
            said = (getattr(e, "stderr", None) or str(e)).strip().splitlines()
            raise Skip(f"does not build: {said[-1][:200]}") from e


class K6(Program):
    name, version = "k6", "1.0.0"
    asks_version = ("version",)

    def build(self, built, options):
        self.make(["go", "install", f"go.k6.io/k6@v{self.version}"], {"GOBIN": str(built.parent)}, options)
        return built

    def command(self, load):
        (load.dir / "k6.js").write_text("""import http from 'k6/http';
const body = open(__ENV.BODY);
export const options = {discardResponseBodies: true, summaryTrendStats: ['avg', 'med', 'p(99)'], scenarios: {all: {executor: 'shared-iterations',
    vus: Number(__ENV.STREAMS), iterations: Number(__ENV.REQUESTS), maxDuration: '10m'}}};
export default function () {
    const answer = http.post(__ENV.URL, body, {headers: {'content-type': 'application/json'}, timeout: '300s'});
    if (answer.status !== 200) throw new Error(`${answer.status}`);
}
export function handleSummary(data) { return {'summary.json': JSON.stringify(data)}; }
""")
        return [self.file, "run", "--no-usage-report", "--quiet", "--log-output", "stderr", load.dir / "k6.js"]

    def environment(self, load):
        return {"BODY": str(load.body()), "STREAMS": str(load.streams), "REQUESTS": str(load.requests), "URL": f"{load.url}/{PATH}"}

    def read(self, load):
        m = json.loads((load.dir / "summary.json").read_text())["metrics"]
        return {"completed": m["iterations"]["values"]["count"], "e2e": three(m["http_req_duration"]["values"], "avg", "med", "p(99)")}


class Oha(Program):
    name, version = "oha", "1.15.0"

    def build(self, built, options):
        self.make(["cargo", "install", "oha", "--version", self.version, "--locked", "--root", built.parent.parent], {}, options)
        return built

    def command(self, load):
        return [self.file, "-n", load.requests, "-c", load.streams, "--no-tui", "--output-format", "json", "-m", "POST", "-T", "application/json", "-D", load.body(),
                f"{load.url}/{PATH}"]

    def read(self, load):
        d = json.loads((load.dir / "client.out").read_text())
        return {"completed": d["statusCodeDistribution"].get("200", 0),
                "e2e": three({"mean": d["summary"]["average"], **d["latencyPercentiles"]}, "mean", "p50", "p99", 1e3)}


class H2load(Program):
    name, version = "h2load", ""

    def command(self, load):
        return [self.file, "--h1", "-n", load.requests, "-c", load.streams, "-t", 1, "-d", load.body(), "-H", "content-type: application/json", f"{load.url}/{PATH}"]

    def read(self, load):
        out = (load.dir / "client.out").read_text()
        return {"completed": int(re.search(r"(\d+) succeeded", out).group(1))}


ALL = (Plateau, AIPerf, GuideLLM, VllmRust, Vllm, Sglang, InferencePerf, GenaiBench, Evalscope, MlperfClient, K6, Oha, H2load)
