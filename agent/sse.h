#pragma once
struct sse {
    int state;
};
