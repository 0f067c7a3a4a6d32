# Images and sound beside the text: what arrives is read by decoders of others (Python's zlib and wave), has the size that was asked for, and is never the same twice.
. "$(dirname "$0")/lib.sh"
cat >"$TMP/server.py" <<'END'
import base64, hashlib, http.server, io, json, struct, sys, wave, zlib
seen = open(sys.argv[1], "w")
def png(b):
    assert b[:8] == b"\x89PNG\r\n\x1a\n"
    at, idat = 8, b""
    while at < len(b):
        n, kind = struct.unpack(">I4s", b[at:at + 8])
        data = b[at + 8:at + 8 + n]
        assert struct.unpack(">I", b[at + 8 + n:at + 12 + n])[0] == zlib.crc32(kind + data)
        if kind == b"IHDR": w, h, depth, colour = struct.unpack(">IIBB", data[:10])
        if kind == b"IDAT": idat += data
        at += 12 + n
    assert len(zlib.decompress(idat)) == (w + 1) * h and (depth, colour) == (8, 3)
    try:
        from PIL import Image
        assert Image.open(io.BytesIO(b)).convert("RGB").size == (w, h)
    except ImportError:
        pass
    return "image %dx%d" % (w, h)
def wav(b):
    f = wave.open(io.BytesIO(b))
    assert len(f.readframes(f.getnframes())) == 2 * f.getnframes()
    return "sound %d of %d" % (f.getnframes(), f.getframerate())
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        ask = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for part in ask["messages"][-1]["content"]:
            if part["type"] == "image_url":
                head, _, data = part["image_url"]["url"].partition(",")
                assert head == "data:image/png;base64"
                what = png(base64.b64decode(data, validate=True))
            elif part["type"] == "input_audio":
                data = part["input_audio"]["data"]
                what = wav(base64.b64decode(data, validate=True))
            else:
                continue
            print(what, hashlib.sha256(data.encode()).hexdigest(), file=seen, flush=True)
        body = b'data: {"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *a): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
END
python3 "$TMP/server.py" "$TMP/seen" >"$TMP/own.port" 2>"$TMP/server.log" &
STARTED+=($!)
wait_until 5 test -s "$TMP/own.port" || { fail 'no server'; finish; }
URL=http://127.0.0.1:$(cat "$TMP/own.port")/v1/chat/completions
plan 'workload: {synthetic: {input_tokens: 16, output_tokens: 4}, images: {count: 2, width: 320, height: 200}, audio: {length: 500ms}}' 'load: {concurrency: 2, requests: 10}'
plateau_run --local 1
expect '.points[0].ledger | .due == 10 and .ok == 10' 'all are ok'
[ -s "$TMP/server.log" ] && { fail 'a decoder refused something'; tail -5 "$TMP/server.log"; }
[ "$(grep -c '^image 320x200 ' "$TMP/seen")" = 20 ] && ok '20 images of 320x200' || fail "images: $(cut -d' ' -f1,2 "$TMP/seen" | sort | uniq -c)"
[ "$(grep -c '^sound 8000 of 16000 ' "$TMP/seen")" = 10 ] && ok '10 sounds of half a second' || fail "sounds: $(cut -d' ' -f1-4 "$TMP/seen" | sort | uniq -c)"
[ "$(awk '{ print $NF }' "$TMP/seen" | sort -u | wc -l)" = 30 ] && ok 'no two are the same' || fail 'some are the same'
finish
