#pragma once
struct gap_pool;
struct gaps {
    struct gap_pool *pool;
};
