"""tokenizer.py BENCH FOLDER [NAME=TOKENIZER.JSON …]: our tokens beside those of the public `tokenizers` package.

Trains small tokenizers of each family that is read (with the forms a file may have: pairs and strings as merges, added tokens that
take blanks, a BOS by template, a blank before the text), and takes the vocabularies that are given. Each encodes the same strings, of
many scripts, by the package and by `bench_tokenizer --ids`: every token of every string is the same, or this fails.
"""
import json
import random
import subprocess
import sys
import unicodedata

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

BENCH, FOLDER = sys.argv[1], sys.argv[2]
STRINGS = 12000
CONTRACTIONS = "'s|'t|'re|'ve|'m|'ll|'d"
BLANKS = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
LEAD, CAPITALS, SMALL = r"[^\r\n\p{L}\p{N}]?", r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
CASED = LEAD + CAPITALS + "*" + SMALL + "+{0}|" + LEAD + CAPITALS + "+" + SMALL + "*{0}"
PATTERNS = {
    "llama3": f"(?i:{CONTRACTIONS})|{LEAD}" + r"\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*" + BLANKS,
    "qwen2": f"(?i:{CONTRACTIONS})|{LEAD}" + r"\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*" + BLANKS,
    "qwen35": f"(?i:{CONTRACTIONS})|{LEAD}" + r"[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*" + BLANKS,
    "o200k": CASED.replace("{0}", f"(?i:{CONTRACTIONS})?") + r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + BLANKS,
    "deepseek": [r"\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
                 "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"],
    "tekken": CASED.replace("{0}", "") + r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + BLANKS,
}
R = random.Random(7)

# ---- strings ----

SCRIPTS = [
    (0x41, 0x7A), (0xC0, 0x24F), (0x370, 0x3FF), (0x400, 0x52F), (0x531, 0x587), (0x5D0, 0x5EA), (0x620, 0x6D3), (0x904, 0x96F),
    (0x985, 0x9EF), (0xB85, 0xBEF), (0xE01, 0xE5B), (0x10A0, 0x10FF), (0x1100, 0x11FF), (0x1200, 0x135A), (0x13A0, 0x13FD),
    (0x1780, 0x17F9), (0x1E00, 0x1FFE), (0x2C00, 0x2C5F), (0x3041, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFAD9),
    (0xFB00, 0xFB06), (0xFF01, 0xFFDC), (0x10400, 0x1044F), (0x1D400, 0x1D7FF), (0x20000, 0x2A6DF),
]
MARKS = [chr(c) for c in [*range(0x300, 0x36F), *range(0x591, 0x5BD), *range(0x64B, 0x65F), *range(0x93A, 0x94D), 0x20DD, 0xFE0F, 0x3099]]
NUMBERS = [chr(c) for c in range(0x30000) if unicodedata.category(chr(c))[0] == "N"]
SPACES = [" "] * 12 + ["  ", "\t", "\n", "\r\n", "\r", "\n\n", " \n ", "\x0b", "\x0c", "\x85", "\xa0", "\u1680", "\u180e", "\u2003", "\u2028", "\u2029",
                       "\u202f", "\u205f", "\u3000", "\u200b", "\ufeff", "\x1c", "\x00"]
OTHER = [chr(c) for c in range(0x20000) if unicodedata.category(chr(c))[0] in "PS"] + list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") * 40
TAILS = ["'s", "'S", "'t", "'re", "'RE", "'Ve", "'ll", "'LL", "'d", "'m", "'", "'\u017f", "\u2019s", "'x", "'r", "'l"]
ANY = [chr(c) for c in range(0x110000) if unicodedata.category(chr(c)) not in ("Cs", "Cn")]
SPECIAL = ["<|begin|>", "<|end|>", "<|end", "<mask>", " <mask> ", "<think>", "</think>", "<|im_start|>", "<|im_end|>", "<|endoftext|>",
           "<|begin_of_text|>", "<|eot_id|>", "caf\u00e9!", "cafe\u0301!"]
TEXT = """The quick brown fox doesn't jump over 12,345 lazy dogs; they've all gone home. It's 2026-11-30T06:30:00Z, and we're DONE!
def f(x):\n    return {"a": [1, 2, 3], 'b': x ** 2 // 7}  # comment\n\tif (a != b) { printf("%d\\n", a); }
Der schöne Käse kostet 3,50 €; où est la bibliothèque ? El niño comió piñas. Zażółć gęślą jaźń. Příliš žluťoučký kůň.
Съешь же ещё этих мягких французских булок, да выпей чаю. Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. שלום עולם! مرحبا بالعالم، كيف حالك؟
नमस्ते दुनिया, यह एक परीक्षण है। สวัสดีชาวโลก วันนี้อากาศดี 你好，世界！今天天气很好。私は日本語を勉強しています。안녕하세요 세계, 만나서 반갑습니다. தமிழ் மொழி""".split()


def word():
    kind = R.random()
    if kind < 0.45:
        w = R.choice(TEXT)
        return R.choice([w, w, w, w.upper(), w.lower(), w.capitalize(), unicodedata.normalize("NFD", w)])
    if kind < 0.75:
        lo, hi = R.choice(SCRIPTS)
        w = "".join(chr(R.randint(lo, hi)) for _ in range(R.randint(1, 9)))
        if R.random() < 0.3:
            at = R.randint(0, len(w))
            w = w[:at] + "".join(R.choices(MARKS, k=R.randint(1, 3))) + w[at:]
        return w
    if kind < 0.82:
        return "".join(R.choices("0123456789", k=R.randint(1, 8))) if R.random() < 0.6 else "".join(R.choices(NUMBERS, k=R.randint(1, 5)))
    if kind < 0.92:
        return "".join(R.choices(OTHER, k=R.randint(1, 4)))
    if kind < 0.96:
        return R.choice(SPECIAL)
    return "".join(R.choices(ANY, k=R.randint(1, 4)))


def string():
    out = []
    for _ in range(R.choice([1, 1, 2, 3, 5, 8, 20])):
        out.append(word())
        if R.random() < 0.12:
            out.append(R.choice(TAILS))
        if R.random() < 0.8:
            out.append("".join(R.choices(SPACES, k=R.choice([1, 1, 1, 2, 3]))))
    return "".join(out)


def strings():
    edge = ["", " ", "  ", "\n", " \n", "\n ", "a", " a", "a ", "'", "''s", "' s", "\r\n\r\n", "   x", "x   ", "\t\tx", "0" * 40, " 1 22 333 4444",
            "ab" * 3000, "\u4e2d" * 2000, "a\u0301" * 500, " " * 500, "\n" * 300, "HTTPServer", "aB'S", "\u01c5x", "\u02b0\u02b0A", "A\u0301b", "x/\n/y", "?/\r\n/"]
    return edge + [string() for _ in range(STRINGS - len(edge))]


# ---- tokenizers ----


def train(pre, normalizer=None, size=1500, ignore_merges=False):
    t = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    t.pre_tokenizer, t.decoder = pre, decoders.ByteLevel()
    if normalizer:
        t.normalizer = normalizer
    lines = [" ".join(R.choices(TEXT, k=30)) for _ in range(300)] + [string() for _ in range(500)]
    t.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    return t


def split(name):
    patterns = PATTERNS[name] if isinstance(PATTERNS[name], list) else [PATTERNS[name]]
    return pre_tokenizers.Sequence([*(pre_tokenizers.Split(Regex(p), "isolated") for p in patterns), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def bos(t, text):
    t.add_special_tokens([text])
    t.post_processor = processors.Sequence([processors.ByteLevel(), processors.TemplateProcessing(single=f"{text} $A", special_tokens=[(text, t.token_to_id(text))])])
    return t


def families():
    yield "gpt2", train(pre_tokenizers.ByteLevel(add_prefix_space=False)), "strings"
    yield "gpt2-blank", train(pre_tokenizers.ByteLevel(add_prefix_space=True)), "pairs"
    t = train(pre_tokenizers.ByteLevel(add_prefix_space=False))
    t.add_special_tokens([AddedToken("<mask>", lstrip=True), AddedToken("<think>", rstrip=True), "<|end|>", "<|end|>x"])
    yield "gpt2-added", t, "pairs"
    yield "llama3", bos(train(split("llama3"), size=3000, ignore_merges=True), "<|begin|>"), "strings"
    t = train(split("qwen2"), normalizers.NFC(), size=3000)
    t.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    t.add_tokens([AddedToken("cafe\u0301!", normalized=True), AddedToken("<think>", normalized=False)])
    yield "qwen2", t, "pairs"
    yield "qwen35", train(split("qwen35"), normalizers.NFC()), "pairs"
    yield "o200k", train(split("o200k"), size=3000, ignore_merges=True), "pairs"
    yield "deepseek", train(split("deepseek"), size=3000), "pairs"
    digits = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    yield "starcoder", train(digits, size=3000), "strings"
    yield "tekken", train(split("tekken"), size=3000, ignore_merges=True), "pairs"


def save(t, path, merges):
    d = json.loads(t.to_str())
    if merges == "strings":
        d["model"]["merges"] = [m if isinstance(m, str) else " ".join(m) for m in d["model"]["merges"]]
    json.dump(d, open(path, "w"), ensure_ascii=merges == "strings")


# ---- side by side ----


def compare(name, path, texts, file):
    theirs = Tokenizer.from_file(path)
    theirs.no_padding()
    theirs.no_truncation()
    r = subprocess.run([BENCH, path, file, "--ids"], capture_output=True, text=True)
    ours = r.stdout.split("\n")[:-1]
    if r.returncode or len(ours) != len(texts):
        print(f"FAIL: {name}: bench_tokenizer ended with {r.returncode} after {len(ours)} of {len(texts)} strings: {r.stderr}")
        return False
    wrong, tokens = 0, 0
    for text, line in zip(texts, ours):
        want = theirs.encode(text, add_special_tokens=False).ids
        tokens += len(want)
        if [int(x) for x in line.split()] != want:
            wrong += 1
            if wrong <= 3:
                print(f"FAIL: {name}: {text!a}: ours {line}, theirs {' '.join(map(str, want))}")
    print(f"{name}: {len(texts)} strings, {tokens} tokens, {wrong} differ")
    return wrong == 0


def main():
    texts = strings()
    file = f"{FOLDER}/strings.jsonl"
    with open(file, "w") as f:
        f.writelines(json.dumps(t) + "\n" for t in texts)
    good = True
    for name, t, merges in families():
        path = f"{FOLDER}/{name}.json"
        save(t, path, merges)
        good &= compare(name, path, texts, file)
    for given in sys.argv[3:]:
        name, path = given.split("=", 1)
        good &= compare(name, path, texts, file)
    print(f"tokenizers {tokenizers.__version__}, Unicode {unicodedata.unidata_version} for the strings")
    sys.exit(0 if good else 1)


main()
