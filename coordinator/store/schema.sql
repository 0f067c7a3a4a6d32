-- The run's file. Times are wall-clock ns since 1970 (*_wall_ns) or seconds from the stage's T0 (t_s). What is not known is NULL.
-- user_version is this schema's number (SCHEMA_VERSION in store.c).

CREATE TABLE run(
    id INTEGER PRIMARY KEY CHECK (id = 1),
    run_id TEXT NOT NULL, version TEXT NOT NULL, plan_hash TEXT NOT NULL,
    seed TEXT NOT NULL,               -- decimal, 64 bits without sign
    insecure INTEGER NOT NULL,
    started_wall_ns INTEGER NOT NULL, ended_wall_ns INTEGER, -- NULL: it runs, or was killed
    signal INTEGER NOT NULL DEFAULT 0,
    plan TEXT NOT NULL,               -- resolved, canonical JSON
    plan_text BLOB NOT NULL           -- the file as it was given
);

CREATE TABLE agent(
    agent INTEGER PRIMARY KEY, name TEXT NOT NULL, host TEXT NOT NULL, boot_id TEXT NOT NULL, version TEXT NOT NULL,
    stamps TEXT NOT NULL, addresses TEXT NOT NULL, cores INTEGER NOT NULL, weight INTEGER NOT NULL, quota REAL NOT NULL,
    lost INTEGER NOT NULL, clock_offset_ns INTEGER NOT NULL, clock_bound_ns INTEGER NOT NULL
);

CREATE TABLE event(id INTEGER PRIMARY KEY, wall_ns INTEGER NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL);

-- One row an attempt: a stage that is run again has a new epoch. Results are those of the highest epoch that ended.
CREATE TABLE stage(
    id INTEGER PRIMARY KEY, stage INTEGER NOT NULL, repeat INTEGER NOT NULL, epoch INTEGER NOT NULL,
    kind INTEGER NOT NULL,            -- 0 closed loop, 1 open loop
    concurrency INTEGER NOT NULL, max_concurrency INTEGER NOT NULL, rate_from REAL NOT NULL, rate_to REAL NOT NULL,
    arrivals INTEGER NOT NULL,        -- 0 constant, 1 poisson, 2 gamma
    burstiness REAL NOT NULL, duration_ns INTEGER NOT NULL, requests INTEGER NOT NULL, warmup_ns INTEGER NOT NULL,
    ramp_ns INTEGER NOT NULL, warmup_auto INTEGER NOT NULL, duration_auto INTEGER NOT NULL,
    steady_ns INTEGER NOT NULL,       -- the window that must be steady before the stage ends; 0: none
    started_wall_ns INTEGER NOT NULL, ended_wall_ns INTEGER, -- NULL: not finished
    degraded INTEGER NOT NULL DEFAULT 0, aborted INTEGER NOT NULL DEFAULT 0, lost INTEGER NOT NULL DEFAULT 0,
    UNIQUE (stage, repeat, epoch)
);

-- The journal: accepted snapshots as they came over the wire; of a stage either all, or none where they are more than 4 MiB.
-- In the order they came: appended, which thousands a second need.
CREATE TABLE snapshot(
    id INTEGER PRIMARY KEY, stage_id INTEGER NOT NULL REFERENCES stage(id), agent INTEGER NOT NULL, seq INTEGER NOT NULL, bytes BLOB NOT NULL
);
CREATE INDEX snapshot_stage ON snapshot(stage_id);

CREATE TABLE stage_agent(
    stage_id INTEGER NOT NULL REFERENCES stage(id), agent INTEGER NOT NULL, name TEXT NOT NULL, weight INTEGER NOT NULL,
    slots INTEGER NOT NULL, lost INTEGER NOT NULL, lost_requests INTEGER NOT NULL, start_skew_ns INTEGER NOT NULL,
    clock_offset_ns INTEGER NOT NULL, clock_bound_ns INTEGER NOT NULL, snapshots INTEGER NOT NULL,
    PRIMARY KEY (stage_id, agent)
) WITHOUT ROWID;

-- agent -1 is the cluster: the merged sum.
CREATE TABLE stage_hist(
    stage_id INTEGER NOT NULL REFERENCES stage(id), agent INTEGER NOT NULL, metric TEXT NOT NULL,
    count INTEGER NOT NULL, mean REAL NOT NULL, min INTEGER NOT NULL, max INTEGER NOT NULL, -- in the histogram's scale (ns)
    bytes BLOB NOT NULL,              -- the wire form of common/hist.h
    PRIMARY KEY (stage_id, agent, metric)
);

CREATE TABLE stage_counter(
    stage_id INTEGER NOT NULL REFERENCES stage(id), agent INTEGER NOT NULL, counter TEXT NOT NULL, value INTEGER NOT NULL,
    PRIMARY KEY (stage_id, agent, counter)
) WITHOUT ROWID;

-- Requests by remote address, of the cluster.
CREATE TABLE stage_address(
    stage_id INTEGER NOT NULL REFERENCES stage(id), address TEXT NOT NULL, -- "others": all beyond the first 64
    requests INTEGER NOT NULL, ok INTEGER NOT NULL, failed INTEGER NOT NULL,
    PRIMARY KEY (stage_id, address)
) WITHOUT ROWID;

-- Of a mix, of the cluster: by workload and by model. number: in the plan, from 0; 64: all beyond the first 64.
CREATE TABLE stage_group(
    stage_id INTEGER NOT NULL REFERENCES stage(id), kind TEXT NOT NULL, number INTEGER NOT NULL, counter TEXT NOT NULL, value INTEGER NOT NULL,
    PRIMARY KEY (stage_id, kind, number, counter)
) WITHOUT ROWID;
CREATE TABLE stage_group_hist(
    stage_id INTEGER NOT NULL REFERENCES stage(id), kind TEXT NOT NULL, number INTEGER NOT NULL, metric TEXT NOT NULL,
    count INTEGER NOT NULL, mean REAL NOT NULL, min INTEGER NOT NULL, max INTEGER NOT NULL, bytes BLOB NOT NULL, -- as in stage_hist
    PRIMARY KEY (stage_id, kind, number, metric)
);

-- The first failed request of each label in a stage, of the cluster.
CREATE TABLE stage_failure(
    stage_id INTEGER NOT NULL REFERENCES stage(id), label TEXT NOT NULL, status INTEGER NOT NULL, -- HTTP, 0: none came
    t_s REAL NOT NULL, address TEXT NOT NULL,
    text TEXT NOT NULL,               -- the server's own words, or the transport's reason; secrets are cut out
    PRIMARY KEY (stage_id, label)
) WITHOUT ROWID;

-- The first remark of each kind (common/remark.def) in a stage, of the cluster.
CREATE TABLE stage_remark(
    stage_id INTEGER NOT NULL REFERENCES stage(id), kind TEXT NOT NULL, t_s REAL NOT NULL, text TEXT NOT NULL,
    PRIMARY KEY (stage_id, kind)
) WITHOUT ROWID;

-- One row for each request, or for a part of them, where the plan's `record` asks for it; columns as in common/request_row.def.
-- Rows of attempts that did not end, or were run again, are in here too. Moments (*_ns) are counted from due_ns; NULL: did not happen.
CREATE TABLE request(
    id INTEGER PRIMARY KEY, stage_id INTEGER NOT NULL REFERENCES stage(id), agent INTEGER NOT NULL,
    due_ns INTEGER NOT NULL,          -- from the stage's T0
    number INTEGER NOT NULL, workload INTEGER NOT NULL, model INTEGER NOT NULL, session INTEGER NOT NULL, turn INTEGER NOT NULL,
    tries INTEGER NOT NULL, sent_ns INTEGER, written_ns INTEGER, first_byte_ns INTEGER, first_token_ns INTEGER, first_content_ns INTEGER,
    last_token_ns INTEGER, done_ns INTEGER, ended_ns INTEGER, connect_ns INTEGER, -- connect_ns: a length
    outcome TEXT NOT NULL, status INTEGER NOT NULL, address TEXT NOT NULL, asked_input INTEGER NOT NULL, asked_output INTEGER NOT NULL,
    input INTEGER NOT NULL, output INTEGER NOT NULL, cached INTEGER NOT NULL, events INTEGER NOT NULL
);
CREATE INDEX request_stage ON request(stage_id);

CREATE TABLE series(
    id INTEGER PRIMARY KEY, stage_id INTEGER NOT NULL REFERENCES stage(id), agent INTEGER NOT NULL, t_s REAL NOT NULL, span_s REAL NOT NULL,
    tokens REAL NOT NULL, done REAL NOT NULL, failed REAL NOT NULL, due REAL NOT NULL, in_flight REAL NOT NULL,
    itl_p50_ms REAL, itl_p99_ms REAL, ttft_p50_ms REAL, ttft_p99_ms REAL
);
CREATE INDEX series_stage ON series(stage_id);

CREATE TABLE block(
    id INTEGER PRIMARY KEY, stage_id INTEGER NOT NULL REFERENCES stage(id), agent INTEGER NOT NULL, t_s REAL NOT NULL, span_s REAL NOT NULL,
    tokens REAL NOT NULL, itl BLOB, chunk_gap BLOB, ttft BLOB, tpot BLOB
);
CREATE INDEX block_stage ON block(stage_id);

-- The server's metrics page, read beside the run. Columns are the fields of server_sample.h.
CREATE TABLE server(
    id INTEGER PRIMARY KEY, wall_ns INTEGER NOT NULL, server TEXT NOT NULL, -- "vllm" …, "" known by pattern only
    running REAL, waiting REAL, kv_use REAL,                                -- gauges
    prefix_hits REAL, prefix_queries REAL, preemptions REAL, prompt_tokens REAL, generation_tokens REAL, -- counters as they stood
    ttft_sum_s REAL, ttft_count REAL, queue_sum_s REAL, queue_count REAL
);
CREATE INDEX server_wall ON server(wall_ns);

-- Of a reading, where the server drafts tokens (speculative decoding).
CREATE TABLE server_draft(
    reading INTEGER PRIMARY KEY REFERENCES server(id),
    drafts REAL, draft_tokens REAL, accepted REAL,                          -- counters as they stood
    accepted_0 REAL, accepted_1 REAL, accepted_2 REAL, accepted_3 REAL, accepted_4 REAL, accepted_5 REAL, accepted_6 REAL, accepted_7 REAL, -- by place in the draft
    accept_rate REAL, accept_length REAL                                    -- gauges
);

-- Of each agent's part; the cluster's verdict is computed with the point.
CREATE TABLE verdict(
    stage_id INTEGER NOT NULL REFERENCES stage(id), agent INTEGER NOT NULL,
    status INTEGER NOT NULL,          -- 0 valid, 1 suspect, 2 invalid
    reasons TEXT NOT NULL,            -- a line each
    PRIMARY KEY (stage_id, agent)
) WITHOUT ROWID;
