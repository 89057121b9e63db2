/* A decoder for stored tensors of xorweave, versions 2 and 3: docs/format.md in C99.
 *
 * Nothing is allocated. The caller gives the bytes of a stored tensor, an array for the words and a scratch area:
 *
 *     xw_tensor t;
 *     if (xw_read(&t, bytes, size)) ...
 *     void *words = malloc(t.n * t.word_bytes), *scratch = malloc(xw_scratch_bytes(&t));
 *     if (xw_decode(&t, words, scratch)) ...
 *
 * Functions return NULL, or a text that says what is wrong. Words are unsigned, t.word_bytes (1, 2 or 4) each, in the
 * order of the tensor and of this machine's bytes. Bytes that lie are refused or decoded to something; no read or write
 * leaves the buffers.
 */
#ifndef XORWEAVE_H
#define XORWEAVE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define XW_MAX_SIDES 64
#define XW_MAX_GROUPS 64
#define XW_MAX_CLASSES 512
#define XW_MAX_PATTERNS 512
#define XW_MAX_PARAMETERS 6

enum { XW_CUSTOM, XW_UNIFORM, XW_SPARSE, XW_CHAIN, XW_PAIRED, XW_GRAPH, XW_IDENTITY };

typedef struct {
    int first, end;   /* planes of the group */
    uint32_t outputs; /* of a block: weights, or patterns of the mask */
    uint32_t constant; /* planes that are not stored, as bits of a word */
    int family, n_in, n_s;
    uint64_t parameters[XW_MAX_PARAMETERS]; /* in the order of the page; `of` is the last */
    size_t matrix, symbols; /* where the sections begin */
} xw_group;

typedef struct {
    const uint8_t *data;
    size_t size;
    int n_w, word_bytes, rank;
    uint64_t sides[XW_MAX_SIDES], n, length, blocks, segments;
    int scan;
    uint64_t scan_numbers[4];
    size_t live_rows, live_columns; /* where their bits begin, 0 where all are live */
    uint64_t live_row_count, live_column_count;
    uint32_t n_out;
    uint64_t segment_blocks;
    int mask;                 /* 0 none, 1 bitmap, 2 shaped, 3 a book */
    uint32_t mask_numbers[6]; /* n_in, parities, window, taps, sums, seed */
    int pattern_bits, pattern_depth, pattern_planes, codewords, escapes;
    uint32_t counts[16]; /* codewords of 1, 2, ... bits */
    uint16_t patterns[XW_MAX_PATTERNS]; /* of each codeword */
    int coder, transform; /* coder: 0 raw, 1 prefix, 2 packed */
    uint32_t inversion;
    int magnitude, classes, depth, tail_planes, planes;
    uint8_t lengths[XW_MAX_CLASSES];
    int8_t tails[XW_MAX_CLASSES];
    uint32_t prefixes[XW_MAX_CLASSES];
    int mask_groups, groups; /* those of the mask come first */
    xw_group group[XW_MAX_GROUPS];
    int patches;
    uint32_t limit, gap;
    uint64_t patch_bits;
    uint32_t checksum;
    size_t mask_at, words_at, patches_at;
} xw_tensor;

/* ---- small things ------------------------------------------------------------------------------------------- */

static uint32_t xw_crc(uint32_t crc, const uint8_t *data, size_t size) {
    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (0xEDB88320u & (0u - (crc & 1u)));
    }
    return ~crc;
}

static int xw_bit(const uint8_t *data, uint64_t at) { return data[at >> 3] >> (at & 7) & 1; }

static uint32_t xw_bits(const uint8_t *data, uint64_t at, int count) {
    uint32_t value = 0;
    for (int i = 0; i < count; i++) value |= (uint32_t)xw_bit(data, at + (uint64_t)i) << i;
    return value;
}

static uint32_t xw_ones(int count) { return count >= 32 ? 0xFFFFFFFFu : (1u << count) - 1u; }

/* ---- random bits: SHAKE-256 of a key and a counter ----------------------------------------------------------- */

typedef struct {
    uint64_t state[25];
    int at; /* of 136 bytes that one permutation gives */
} xw_shake;

static uint64_t xw_rotate(uint64_t x, int n) { return n ? x << n | x >> (64 - n) : x; }

static void xw_permute(uint64_t a[25]) {
    uint8_t shift = 1; /* a linear feedback register makes the round constants */
    for (int round = 0; round < 24; round++) {
        uint64_t c[5], moved;
        for (int x = 0; x < 5; x++) c[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
        for (int x = 0; x < 5; x++) {
            uint64_t d = c[(x + 4) % 5] ^ xw_rotate(c[(x + 1) % 5], 1);
            for (int y = 0; y < 25; y += 5) a[y + x] ^= d;
        }
        int x = 1, y = 0;
        moved = a[1];
        for (int t = 0; t < 24; t++) {
            int next = (2 * x + 3 * y) % 5;
            x = y;
            y = next;
            uint64_t kept = a[5 * y + x];
            a[5 * y + x] = xw_rotate(moved, (t + 1) * (t + 2) / 2 % 64);
            moved = kept;
        }
        for (y = 0; y < 25; y += 5) {
            for (x = 0; x < 5; x++) c[x] = a[y + x];
            for (x = 0; x < 5; x++) a[y + x] = c[x] ^ (~c[(x + 1) % 5] & c[(x + 2) % 5]);
        }
        for (int j = 0; j < 7; j++) {
            if (shift & 1) a[0] ^= (uint64_t)1 << ((1 << j) - 1);
            shift = (uint8_t)(shift << 1 ^ (shift & 0x80 ? 0x71 : 0));
        }
    }
}

static void xw_shake_start(xw_shake *s, const char *text) {
    size_t size = strlen(text), at = 0;
    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < size; i++) {
        s->state[at >> 3] ^= (uint64_t)(uint8_t)text[i] << 8 * (at & 7);
        if (++at == 136) {
            xw_permute(s->state);
            at = 0;
        }
    }
    s->state[at >> 3] ^= (uint64_t)0x1F << 8 * (at & 7);
    s->state[16] ^= (uint64_t)0x80 << 56;
    xw_permute(s->state);
}

static uint8_t xw_shake_byte(xw_shake *s) {
    if (s->at == 136) {
        xw_permute(s->state);
        s->at = 0;
    }
    uint8_t byte = (uint8_t)(s->state[s->at >> 3] >> 8 * (s->at & 7));
    s->at++;
    return byte;
}

typedef struct {
    char key[320];
    unsigned counter;
    int left; /* bytes of the call that `xw_below` takes words from */
    xw_shake shake;
} xw_source;

static void xw_key(xw_source *s, const char *family, const uint64_t *numbers, int count) {
    int at = snprintf(s->key, sizeof s->key, "%s", family);
    for (int i = 0; i < count; i++)
        at += snprintf(s->key + at, sizeof s->key - (size_t)at, ";%llu", (unsigned long long)numbers[i]);
    s->counter = 0;
    s->left = 0;
}

static void xw_call(xw_source *s, xw_shake *shake) {
    char text[352];
    snprintf(text, sizeof text, "xorweave;%s;%u", s->key, ++s->counter);
    xw_shake_start(shake, text);
}

static uint32_t xw_below(xw_source *s, uint32_t bound) {
    uint64_t limit = ((uint64_t)1 << 32) / bound * bound;
    for (;;) {
        if (!s->left) {
            xw_call(s, &s->shake);
            s->left = 4096;
        }
        uint32_t word = 0;
        for (int i = 0; i < 4; i++) word |= (uint32_t)xw_shake_byte(&s->shake) << 8 * i;
        s->left -= 4;
        if (word < limit) return word % bound;
    }
}

static void xw_shuffle(xw_source *s, int32_t *items, uint32_t count) {
    for (uint32_t i = count; i-- > 1;) {
        uint32_t j = xw_below(s, i + 1);
        int32_t kept = items[i];
        items[i] = items[j];
        items[j] = kept;
    }
}

/* ---- reading the header ---------------------------------------------------------------------------------------- */

typedef struct {
    const uint8_t *data;
    size_t size, at;
    int bad;
} xw_reader;

static uint8_t xw_byte(xw_reader *r) {
    if (r->at >= r->size) {
        r->bad = 1;
        return 0;
    }
    return r->data[r->at++];
}

static uint64_t xw_varint(xw_reader *r, uint64_t most) {
    uint64_t value = 0;
    for (int shift = 0; shift < 63; shift += 7) {
        uint8_t byte = xw_byte(r);
        value |= (uint64_t)(byte & 127) << shift;
        if (!(byte & 128)) {
            if (value > most) r->bad = 1;
            return r->bad ? 0 : value;
        }
    }
    r->bad = 1;
    return 0;
}

static uint32_t xw_word32(xw_reader *r) {
    uint32_t word = 0;
    for (int i = 0; i < 4; i++) word |= (uint32_t)xw_byte(r) << 8 * i;
    return word;
}

static int xw_common(uint64_t a, uint64_t b) {
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a != 1;
}

static void xw_span(xw_tensor *t, int first, int end, uint32_t outputs) {
    if (t->groups < XW_MAX_GROUPS) {
        t->group[t->groups].first = first;
        t->group[t->groups].end = end;
        t->group[t->groups].outputs = outputs;
    }
    t->groups++;
}

static int xw_count_ones(uint32_t x) {
    int ones = 0;
    for (; x; x &= x - 1) ones++;
    return ones;
}

/* The book of a mask: its codewords and what they stand for, its groups and the code of the first one. */
static const char *xw_read_patterns(xw_tensor *t, xw_reader *r) {
    uint32_t said = (uint32_t)xw_varint(r, 33), listed = 0, m = said >> 1;
    uint64_t taken = 0;
    int depth = (int)xw_varint(r, 15), first = 0;
    if (m < 2 || m > 16 || !depth) return "the sizes of a mask's book are out of range";
    for (int l = 1; l <= depth; l++) {
        t->counts[l] = (uint32_t)xw_varint(r, XW_MAX_PATTERNS);
        t->codewords += (int)t->counts[l];
        taken += (uint64_t)t->counts[l] << (depth - l);
    }
    if (r->bad || !t->counts[depth] || t->codewords > XW_MAX_PATTERNS || t->codewords > 1 << m || taken != (uint64_t)1 << depth)
        return "the codewords of a mask's book must be a complete prefix code";
    if (t->n_out % m || t->n_out / m > 1024) return "a block must be whole patterns of the mask, 1024 at most";
    t->mask = 3;
    t->pattern_bits = (int)m;
    t->pattern_depth = depth;
    t->escapes = t->codewords < 1 << m;
    t->pattern_planes = depth + (t->escapes ? (int)m : 0);
    for (int ones = 0; ones <= (int)m; ones++)
        for (uint32_t pattern = 0; pattern >> m == 0; pattern++)
            if (xw_count_ones(pattern) == ones && listed < (uint32_t)t->codewords)
                t->patterns[listed++] = (uint16_t)(pattern ^ (said & 1 ? xw_ones((int)m) : 0));
    for (int l = 1; l <= depth; l++) {
        if (!t->counts[l]) continue;
        xw_span(t, first, l, t->n_out / m);
        first = l;
    }
    if (t->escapes) xw_span(t, depth, t->pattern_planes, t->n_out / m);
    t->mask_groups = t->groups;
    t->group[0].family = XW_IDENTITY;
    t->group[0].n_in = (int)(t->n_out / m);
    return NULL;
}

/* Groups and planes of a book whose classes are read. */
static const char *xw_book(xw_tensor *t) {
    int tail = -1, first = 0;
    for (int k = 0; k < t->classes; k++) {
        if (!t->lengths[k] || t->lengths[k] > 15 || t->tails[k] < -1 || t->tails[k] >= t->n_w) return "a class is wrong";
        if (k && t->lengths[k] < t->lengths[k - 1]) return "lengths must not fall";
        if (t->tails[k] > tail) tail = t->tails[k];
    }
    if (!t->classes) return NULL;
    t->depth = t->lengths[t->classes - 1];
    t->tail_planes = tail > 0 ? tail : 0;
    t->planes = t->depth + 1 + t->tail_planes;
    for (int k = 0; k < t->classes; k++) {
        if (t->lengths[k] == first) continue;
        xw_span(t, first, t->lengths[k], t->n_out);
        first = t->lengths[k];
    }
    if (tail < 0) return NULL;
    xw_span(t, t->depth, t->depth + 1, t->n_out);
    for (int high = t->tail_planes; high > 0;) {
        int low = 0;
        for (int k = 0; k < t->classes; k++)
            if (t->tails[k] < high && t->tails[k] > low) low = t->tails[k];
        xw_span(t, t->planes - high, t->planes - low, t->n_out);
        high = low;
    }
    return t->groups > XW_MAX_GROUPS ? "too many groups" : NULL;
}

static const char *xw_read_raw(xw_tensor *t, xw_reader *r, int usual) {
    t->planes = t->n_w;
    xw_span(t, 0, t->n_w, t->n_out);
    if (usual) return NULL;
    t->transform = xw_byte(r);
    t->inversion = (uint32_t)xw_varint(r, xw_ones(t->n_w));
    t->group[t->groups - 1].constant = (uint32_t)xw_varint(r, xw_ones(t->n_w));
    return t->transform > 2 ? "no such transform" : NULL;
}

/* The book of version 2: three numbers a class. */
static const char *xw_read_classes(xw_tensor *t, xw_reader *r) {
    t->magnitude = xw_byte(r);
    if (t->magnitude > 3) return "no such magnitude";
    t->classes = (int)xw_varint(r, XW_MAX_CLASSES);
    for (int k = 0; k < t->classes; k++) {
        t->lengths[k] = xw_byte(r);
        t->tails[k] = (int8_t)(xw_byte(r) - 1);
        t->prefixes[k] = (uint32_t)xw_varint(r, 0xFFFFFFFFu);
    }
    return xw_book(t);
}

/* The book of version 3: a row of bits. */
static const char *xw_read_table(xw_tensor *t, xw_reader *r) {
    uint64_t said = xw_varint(r, 4 * XW_MAX_CLASSES + 3), at = (uint64_t)r->at * 8, end = (uint64_t)r->size * 8;
    int length = 1, width = 0;
    while (t->n_w >> width) width++;
    t->magnitude = (int)(said & 3);
    t->classes = (int)(said >> 2);
    for (int k = 0; k < t->classes; k++) {
        while (at < end && length < 16 && xw_bit(r->data, at)) at++, length++;
        if (length > 15 || at + 1 + (unsigned)width > end) return "a class is wrong";
        t->lengths[k] = (uint8_t)length;
        t->tails[k] = (int8_t)((int)xw_bits(r->data, at + 1, width) - 1);
        at += 1 + (unsigned)width;
        if (t->tails[k] >= t->n_w) return "a class is wrong";
        int rest = t->tails[k] < 0 ? 0 : t->n_w - 1 - t->tails[k];
        if (at + (unsigned)rest > end) return "a class is wrong";
        t->prefixes[k] = xw_bits(r->data, at, rest);
        at += (unsigned)rest;
    }
    r->at = (size_t)((at + 7) / 8);
    return xw_book(t);
}

/* Groups whose codes the header gives: all but the first of the mask, which has the identity. */
static int xw_first_code(const xw_tensor *t) { return t->mask_groups ? 1 : 0; }

static const char *xw_read_codes(xw_tensor *t, xw_reader *r) {
    static const int counts[] = {0, 2, 3, 4, 4, 6, 1};
    for (int g = xw_first_code(t); g < t->groups; g++) {
        xw_group *group = &t->group[g];
        int family = xw_byte(r), same = family == 255;
        if (same && g > xw_first_code(t)) {
            group->family = group[-1].family;
            memcpy(group->parameters, group[-1].parameters, sizeof group->parameters);
        } else {
            group->family = family;
        }
        if (group->family > XW_IDENTITY) return "no such generator family";
        if (group->family == XW_CUSTOM && g < t->mask_groups) return "the codes of a mask's book must not be custom";
        group->n_in = (int)xw_varint(r, 1024);
        group->n_s = (int)xw_varint(r, 4096);
        if (!group->n_in || group->n_in * (group->n_s + 1) > 4096) return "the sizes of a code are out of range";
        for (int i = 0; i < counts[group->family] && !same; i++) group->parameters[i] = xw_varint(r, INT64_MAX);
    }
    return NULL;
}

/* The parameters of a usual graph follow from its sizes. */
static void xw_usual_graph(xw_group *group) {
    uint64_t pool = 8, run, start;
    int window = group->n_in * (group->n_s + 1);
    if (pool < 5 * (uint64_t)group->n_in) pool = 5 * (uint64_t)group->n_in;
    while (pool * pool < 9 * (uint64_t)group->outputs) pool++;
    run = window < 3 ? 1 : window < 6 ? (uint64_t)window - 2 : 4;
    start = window < (int)run + 2 ? 2 : 3;
    group->family = XW_GRAPH;
    group->parameters[1] = pool;
    group->parameters[2] = run;
    group->parameters[3] = start;
}

/* The codes of version 3 that are not given in full: usual graphs, or chains of equal taps, each as long as the window
 * lets it be. */
static const char *xw_read_usual(xw_tensor *t, xw_reader *r) {
    int begin = xw_first_code(t), some = t->groups > begin;
    uint64_t taps = some ? xw_byte(r) : 0, window = taps ? xw_varint(r, 4096) : 0;
    for (int g = begin; g < t->groups; g++) {
        xw_group *group = &t->group[g];
        group->n_in = (int)xw_varint(r, 1024);
        if (!group->n_in) return "the sizes of a code are out of range";
        group->n_s = taps ? (int)(window / (unsigned)group->n_in) - 1 : (int)xw_varint(r, 4096);
        if (taps && group->n_s < 1) group->n_s = 1;
        if (group->n_in * (group->n_s + 1) > 4096) return "the sizes of a code are out of range";
        if (!taps) {
            xw_usual_graph(group);
            continue;
        }
        group->family = XW_CHAIN;
        group->parameters[1] = taps;
        group->parameters[2] = 10;
    }
    return NULL;
}

/* Take a section of so many bits. */
static size_t xw_section(xw_reader *r, uint64_t bits) {
    size_t at = r->at;
    if (bits / 8 > r->size - r->at || (bits + 7) / 8 > r->size - r->at) {
        r->bad = 1;
        return 0;
    }
    r->at += (size_t)((bits + 7) / 8);
    return at;
}

static int xw_stored_planes(const xw_group *group) { return group->end - group->first - xw_count_ones(group->constant); }

/* How the weights of a tile lie in the registers of 32 threads, slowest first. */
typedef struct {
    uint64_t weights, columns; /* of a tile, which has 16 rows */
    struct { int size, rows, columns; } axes[6];
} xw_tile;

static xw_tile xw_tile_of(const uint64_t *k) {
    int n_w = (int)k[2], fragments = (int)k[3] * (n_w == 4 ? 2 : 1), width = n_w == 16 ? 16 : 32, wide = fragments / 4;
    xw_tile bytes = {0, 0, {{8, 1, 0}, {4, 0, 4}, {4, 0, 1}, {wide, 0, 32}, {2, 0, 16}, {2, 8, 0}}};
    xw_tile nibbles = {0, 0, {{8, 1, 0}, {4, 0, 4}, {4, 0, 1}, {2, 8, 0}, {wide, 0, 32}, {2, 0, 16}}};
    xw_tile halves = {0, 0, {{8, 1, 0}, {4, 0, 2}, {2, 0, 1}, {wide, 0, 16}, {2, 0, 8}, {2, 8, 0}}};
    xw_tile tile = n_w == 4 ? nibbles : n_w == 8 ? bytes : halves;
    tile.columns = (uint64_t)(wide * width);
    tile.weights = 16 * tile.columns;
    return tile;
}

/* Take a bit for each of `count` rows or columns; return how many are live, 0 if the bits are none. */
static uint64_t xw_read_live(xw_reader *r, uint64_t count) {
    uint64_t size = (count + 7) / 8, live = 0;
    if (r->bad || size > r->size - r->at) {
        r->bad = 1;
        return 0;
    }
    for (uint64_t i = 0; i < 8 * size; i++) {
        int bit = r->data[r->at + i / 8] >> i % 8 & 1;
        if (bit && i >= count) return 0;
        live += (unsigned)bit;
    }
    r->at += (size_t)size;
    return live;
}

/* The number of the i-th live row or column, its bits at `at`. */
static uint64_t xw_live(const xw_tensor *t, size_t at, uint64_t i) {
    if (!at) return i;
    for (uint64_t byte = 0;; byte++) {
        uint32_t bits = t->data[at + byte];
        uint64_t ones = 0;
        for (uint32_t rest = bits; rest; rest &= rest - 1) ones++;
        if (i >= ones) {
            i -= ones;
            continue;
        }
        for (int k = 0;; k++)
            if (bits >> k & 1 && !i--) return 8 * byte + (unsigned)k;
    }
}

static const char *xw_read_scan(xw_tensor *t, xw_reader *r) {
    static const int counts[] = {0, 2, 4, 3, 4, 2};
    if (t->scan > 5) return "no such scan";
    for (int i = 0; i < counts[t->scan]; i++) t->scan_numbers[i] = xw_varint(r, (uint64_t)1 << 40);
    const uint64_t *k = t->scan_numbers;
    t->length = t->n;
    if (t->scan == 1 && t->n > 1 && (xw_common(k[0], t->n) || k[0] >= t->n || k[1] >= t->n || t->n >= 3000000000u))
        return "the stride or the offset is out of range";
    if (t->scan == 5) {
        uint64_t rows = t->rank > 1 ? t->sides[0] : 1, cols = rows ? t->n / rows : 0, told = xw_byte(r);
        if (!cols || told < 1 || told > 3) return "live rows, live columns or both must be listed";
        t->live_row_count = rows;
        t->live_column_count = cols;
        if (told & 1) {
            t->live_rows = r->at;
            t->live_row_count = xw_read_live(r, rows);
        }
        if (told & 2) {
            t->live_columns = r->at;
            t->live_column_count = xw_read_live(r, cols);
        }
        t->length = t->live_row_count * t->live_column_count;
        if (!t->length) return "there must be a bit for each row or column, and one of them 1";
        if (t->length > 1 && (xw_common(k[0], t->length) || k[0] >= t->length || k[1] >= t->length || t->n >= 3000000000u))
            return "the stride or the offset is out of range";
    }
    if (t->scan == 2) {
        uint64_t rows = t->rank > 1 ? t->sides[0] : 1, cols = rows ? t->n / rows : 0;
        if (!cols || !k[0] || k[0] > 16384 || !k[1] || k[1] > 1u << 20 || k[2] >= cols || k[3] > 4096)
            return "the lanes are out of range";
        uint64_t passes = (rows + k[0] * k[1] - 1) / (k[0] * k[1]);
        t->length = (k[3] + passes * cols * k[1]) * k[0];
    }
    if (t->scan == 3) {
        uint64_t rows = t->rank > 1 ? t->sides[0] : 1, cols = rows ? t->n / rows : 0;
        if (!cols || (k[0] != 1 && k[0] != 2 && k[0] != 4 && k[0] != 8) || !k[1] || k[1] > 16384 || !k[2] || k[2] > 16384)
            return "the cells are out of range";
        t->length = 16 * k[0] * ((rows + 16 * k[1] - 1) / (16 * k[1])) * ((cols + k[0] * k[2] - 1) / (k[0] * k[2]) * k[2]) * k[1];
    }
    if (t->scan == 4) {
        uint64_t rows = t->rank > 1 ? t->sides[0] : 1, cols = rows ? t->n / rows : 0;
        if (!cols || !k[0] || k[0] > 16384 || !k[1] || k[0] % k[1] ||
            !((k[3] == 8 && (k[2] == 4 || k[2] == 8)) || (k[3] == 16 && (k[2] == 8 || k[2] == 16))))
            return "the tiles are out of range";
        xw_tile tile = xw_tile_of(k);
        uint64_t tiles = (rows + 15) / 16 * ((cols + tile.columns * k[1] - 1) / (tile.columns * k[1])) * k[1];
        t->length = (tiles + k[0] - 1) / k[0] * k[0] * tile.weights;
    }
    return NULL;
}

static const struct { const char *name; int n_w, bytes; } xw_formats[] = {
    {"int4", 4, 1}, {"int8", 8, 1}, {"uint8", 8, 1}, {"int16", 16, 2},
    {"int32", 32, 4}, {"fp16", 16, 2}, {"bf16", 16, 2}, {"fp32", 32, 4},
};

static void xw_format(xw_tensor *t, int number) {
    t->n_w = xw_formats[number].n_w;
    t->word_bytes = xw_formats[number].bytes;
}

static const char *xw_read_shape(xw_tensor *t, xw_reader *r) {
    t->rank = (int)xw_varint(r, XW_MAX_SIDES);
    t->n = 1;
    for (int i = 0; i < t->rank; i++) {
        t->sides[i] = xw_varint(r, (uint64_t)1 << 40);
        if (t->sides[i] && t->n > ((uint64_t)1 << 40) / t->sides[i]) return "there are too many weights";
        t->n *= t->sides[i];
    }
    return NULL;
}

static const char *xw_cut(xw_tensor *t) {
    if (!t->n_out || !t->segment_blocks) return "a block or a segment must not be empty";
    t->blocks = (t->length + t->n_out - 1) / t->n_out;
    t->segments = (t->blocks + t->segment_blocks - 1) / t->segment_blocks;
    return NULL;
}

static const char *xw_read_gap(xw_tensor *t, xw_reader *r) {
    if (t->patches > 4) return "no such patches";
    if (t->patches == 4) t->limit = (uint32_t)xw_varint(r, 99999);
    if (t->patches >= 2) {
        t->gap = (uint32_t)xw_varint(r, 32);
        if (!t->gap) return "a gap must have 1 to 32 bits";
    }
    return NULL;
}

static const char *xw_read_head_2(xw_tensor *t, xw_reader *r) {
    const char *wrong;
    char name[8] = {0};
    int letters = (int)xw_varint(r, 7);
    for (int i = 0; i < letters; i++) name[i] = (char)xw_byte(r);
    for (int i = 0; i < 8; i++)
        if (!strcmp(name, xw_formats[i].name)) xw_format(t, i);
    if (!t->n_w) return "no such number format";
    if ((wrong = xw_read_shape(t, r))) return wrong;
    t->scan = xw_byte(r);
    if ((wrong = xw_read_scan(t, r))) return wrong;
    t->n_out = (uint32_t)xw_varint(r, 16384);
    t->segment_blocks = xw_varint(r, (uint64_t)1 << 40);
    if ((wrong = xw_cut(t))) return wrong;
    t->mask = xw_byte(r);
    if (t->mask > 2) return "no such mask code";
    for (int i = 0; i < 6 && t->mask == 2; i++) t->mask_numbers[i] = (uint32_t)xw_varint(r, 0xFFFFFFFFu);
    t->coder = xw_byte(r);
    if (t->coder > 1) return "no such value coder";
    if ((wrong = t->coder ? xw_read_classes(t, r) : xw_read_raw(t, r, 0)) || (wrong = xw_read_codes(t, r))) return wrong;
    t->patches = xw_byte(r);
    if ((wrong = xw_read_gap(t, r))) return wrong;
    t->patch_bits = xw_varint(r, 8 * (uint64_t)r->size);
    xw_byte(r);
    return NULL;
}

static const char *xw_read_head_3(xw_tensor *t, xw_reader *r) {
    static const uint32_t seeds[] = {0, 1, 32, 110, 124, 0};
    const char *wrong;
    int first = xw_byte(r), second = xw_byte(r), usual = !(second >> 7);
    xw_format(t, first & 7);
    t->coder = (first >> 3 & 7) / 3;
    t->mask = (first >> 3 & 7) % 3;
    t->scan = second & 7;
    t->patches = second >> 3 & 7;
    if ((wrong = xw_read_shape(t, r)) || (wrong = xw_read_scan(t, r))) return wrong;
    if (t->coder == 2) {
        if (second >> 3 || first >> 6) return "packed words must come without patches, codes and segments";
        t->n_out = 1;
        t->segment_blocks = t->length ? t->length : 1;
        return xw_cut(t);
    }
    t->n_out = (uint32_t)xw_varint(r, 16384);
    if (!t->n_out) return "a block must not be empty";
    t->segment_blocks = first >> 7 ? xw_varint(r, (uint64_t)1 << 40) : t->length / t->n_out + 1;
    if ((wrong = xw_cut(t))) return wrong;
    for (int i = 0; i < (usual ? 2 : 6) && t->mask == 2; i++) {
        t->mask_numbers[i] = (uint32_t)xw_varint(r, 0xFFFFFFFFu);
        if (i || t->mask_numbers[0]) continue;
        if ((wrong = r->bad ? "the header is damaged" : xw_read_patterns(t, r))) return wrong;
    }
    if (t->mask == 2 && usual) {
        uint32_t parities = t->mask_numbers[1];
        if (!parities || parities > 6) return "the sizes of the mask code are out of range";
        t->mask_numbers[2] = 64;
        t->mask_numbers[3] = 6;
        t->mask_numbers[4] = parities < 4 ? 3 : 4;
        t->mask_numbers[5] = seeds[parities - 1];
    }
    if ((wrong = t->coder ? xw_read_table(t, r) : xw_read_raw(t, r, usual))) return wrong;
    if ((wrong = second >> 6 & 1 ? xw_read_codes(t, r) : xw_read_usual(t, r)) || (wrong = xw_read_gap(t, r))) return wrong;
    t->patch_bits = t->patches ? xw_varint(r, 8 * (uint64_t)r->size) : 0;
    return NULL;
}

static const char *xw_read(xw_tensor *t, const uint8_t *data, size_t size) {
    const char *wrong;
    memset(t, 0, sizeof *t);
    if (size < 8) return "the stored tensor is too short";
    xw_reader r = {data, size - 4, 0, 0}, end = {data, size, size - 4, 0};
    if (xw_word32(&end) != xw_crc(0, data, size - 4)) return "the stored tensor is damaged";
    t->data = data;
    t->size = size;
    int version = xw_byte(&r);
    if (version != 2 && version != 3) return "the version must be 2 or 3";
    if ((wrong = version == 2 ? xw_read_head_2(t, &r) : xw_read_head_3(t, &r))) return wrong;
    if (t->coder != 2) {
        t->checksum = xw_word32(&r);
        for (uint64_t i = 0; i < t->segments && t->segments > 1 && !r.bad; i++) xw_word32(&r);
    }
    if (r.bad) return "the header is damaged";
    if (t->mask == 1) t->mask_at = xw_section(&r, t->length);
    if (t->mask == 2) {
        const uint32_t *k = t->mask_numbers;
        if (!k[0] || k[0] > 1024 || !k[1] || k[1] > 8 || k[2] < 2 || k[2] > 64 || k[3] < 2 || k[3] > k[2] || k[4] > 8)
            return "the sizes of the mask code are out of range";
        t->mask_at = xw_section(&r, t->blocks * k[0]);
    }
    for (int g = 0; g < t->groups; g++) {
        /* matrices lie between what is of the mask and what is of the words */
        for (int k = t->mask_groups; g == t->mask_groups && k < t->groups; k++)
            if (t->group[k].family == XW_CUSTOM)
                t->group[k].matrix = xw_section(&r, (uint64_t)t->n_out * (unsigned)(t->group[k].n_in * (t->group[k].n_s + 1)));
        uint64_t row = (uint64_t)t->group[g].n_in * (unsigned)xw_stored_planes(&t->group[g]);
        t->group[g].symbols = xw_section(&r, t->blocks * row);
    }
    if (t->coder == 2) {
        uint64_t kept = t->length;
        if (r.bad) return "the sections do not fit the header";
        for (uint64_t i = 0; i < t->length && t->mask == 1; i++) kept -= !xw_bit(data + t->mask_at, i);
        t->words_at = xw_section(&r, kept * (unsigned)t->n_w);
    }
    t->patches_at = xw_section(&r, t->patch_bits);
    if (r.bad || r.at != r.size) return "the sections do not fit the header";
    return NULL;
}

/* ---- generators -------------------------------------------------------------------------------------------------- */

/* A scratch area that is handed out from its start; without one, only counted. */
typedef struct {
    uint8_t *base;
    size_t at;
} xw_area;

static void *xw_take(xw_area *area, size_t bytes) {
    void *found = area->base ? area->base + area->at : NULL;
    area->at += (bytes + 7) / 8 * 8;
    return found;
}

static uint32_t xw_rows(const xw_group *group) {
    static const int last[] = {-1, 1, 2, 3, 3, 5, 0};
    int of = last[group->family];
    return of >= 0 && group->parameters[of] ? (uint32_t)group->parameters[of] : group->outputs;
}

/* Deal `taps` cards of 0 .. columns - 1 to each row: hands, taps to a row. `deck` has room for columns + taps cards. */
static void xw_deal(xw_source *s, uint32_t rows, int columns, int taps, int32_t *hands, int32_t *deck) {
    int left = 0;
    int32_t aside[4096];
    for (uint32_t row = 0; row < rows; row++) {
        int held = 0, passed = 0;
        int32_t *hand = hands + (size_t)row * (unsigned)taps;
        while (held < taps) {
            if (!left) {
                for (; left < columns; left++) deck[left] = left;
                xw_shuffle(s, deck, (uint32_t)columns);
            }
            int32_t card = deck[--left];
            int again = 0;
            for (int i = 0; i < held; i++) again |= hand[i] == card;
            if (again && passed < 4096) aside[passed++] = card;
            else if (!again) hand[held++] = card;
        }
        for (int i = 0; i < passed; i++) deck[left++] = aside[i];
    }
}

/* One deck of the family graph: cards first .. first + count - 1. Of few columns most are barred: cards that were put
 * aside lie on a deck that is filled again, and it grows. */
typedef struct {
    int32_t *cards, *aside; /* room for so many each */
    int first, count, left, room;
} xw_deck;

/* Draw a card; -1 if there is no room for those put aside. */
static int32_t xw_draw(xw_source *s, xw_deck *deck, const int32_t *held, int holds) {
    int passed = 0;
    for (;;) {
        if (!deck->left) {
            for (int i = 0; i < deck->count; i++) deck->cards[i] = deck->first + i;
            deck->left = deck->count;
            xw_shuffle(s, deck->cards, (uint32_t)deck->count);
        }
        int32_t card = deck->cards[--deck->left];
        int barred = 0;
        for (int i = 0; i < holds; i++) barred |= held[i] == card;
        if (!barred) {
            if (deck->left + passed > deck->room) return -1;
            while (passed) deck->cards[deck->left++] = deck->aside[--passed];
            return card;
        }
        if (passed == deck->room) return -1;
        deck->aside[passed++] = card;
    }
}

/* A graph between running sums; `room` neighbours fit a vertex. */
typedef struct {
    int vertices, room, run;
    int32_t *neighbours, *degrees, *queue;
} xw_edges;

static void xw_distances(const xw_edges *e, int from, int along, int far, int32_t *distance) {
    int head = 0, tail = 1;
    for (int v = 0; v < e->vertices; v++) distance[v] = far;
    distance[from] = 0;
    e->queue[0] = from;
    while (head < tail) {
        int v = e->queue[head++], step = distance[v] + 1;
        if (step >= far) return;
        for (int k = 0; k < e->degrees[v] + 2 * along; k++) {
            int w = k < e->degrees[v] ? e->neighbours[v * e->room + k] : k == e->degrees[v] ? v - 1 : v + 1;
            if (k >= e->degrees[v] && (w < 0 || w >= e->vertices || w / e->run != v / e->run)) continue;
            if (w != from && distance[w] == far) {
                distance[w] = step;
                e->queue[tail++] = w;
            }
        }
    }
}

static int xw_join(xw_edges *e, int a, int b) {
    for (int i = 0; i < 2; i++) {
        int end = i ? b : a, other = i ? a : b, k = 0;
        while (k < e->degrees[end] && e->neighbours[end * e->room + k] != other) k++;
        if (k == e->room) return 0;
        e->neighbours[end * e->room + k] = other;
        if (k == e->degrees[end]) e->degrees[end]++;
    }
    return 1;
}

static int xw_least(const xw_edges *e, const int32_t *listed, int count) {
    int least = INT32_MAX;
    for (int i = 0; i < count; i++)
        if (e->degrees[listed[i]] < least) least = e->degrees[listed[i]];
    return least;
}

static int xw_of_degree(const xw_edges *e, int32_t *listed, int count, int degree) {
    int kept = 0;
    for (int i = 0; i < count; i++)
        if (e->degrees[listed[i]] == degree) listed[kept++] = listed[i];
    return kept;
}

static int xw_all(const xw_edges *e, int32_t *listed) {
    for (int v = 0; v < e->vertices; v++) listed[v] = v;
    return e->vertices;
}

/* Draw one edge of the family paired. */
static int xw_edge_paired(xw_source *s, xw_edges *e, int32_t *distance, int32_t *listed, int *a, int *b) {
    int count = xw_all(e, listed);
    count = xw_of_degree(e, listed, count, xw_least(e, listed, count));
    xw_shuffle(s, listed, (uint32_t)count);
    *a = listed[0];
    xw_distances(e, *a, 1, 6, distance);
    for (int d = 5; d >= 0; d--) {
        count = 0;
        for (int v = 0; v < e->vertices; v++)
            if (distance[v] > d) listed[count++] = v;
        if (!count) continue;
        count = xw_of_degree(e, listed, count, xw_least(e, listed, count));
        xw_shuffle(s, listed, (uint32_t)count);
        *b = listed[0];
        return xw_join(e, *a, *b);
    }
    return 0;
}

/* Draw one edge of the family graph. */
static int xw_edge_graph(xw_source *s, xw_edges *e, int32_t *near, int32_t *far, int32_t *listed, int *a, int *b) {
    int count = xw_all(e, listed), least = xw_least(e, listed, count), poor = 0, most = 0, kept = 0;
    count = xw_of_degree(e, listed, count, least);
    *a = listed[xw_below(s, (uint32_t)count)];
    xw_distances(e, *a, 1, 4, near);
    xw_distances(e, *a, 0, 2 * e->vertices, far);
    count = 0;
    for (int v = 0; v < e->vertices; v++)
        if (near[v] == 4) listed[count++] = v;
    int distant = count;
    for (int v = 0; v < e->vertices && !distant; v++)
        if (far[v] > 1) listed[count++] = v;
    for (int i = 0; i < count; i++) poor += e->degrees[listed[i]] <= least + 1;
    kept = 0;
    for (int i = 0; i < count; i++)
        if (!poor || e->degrees[listed[i]] <= least + 1) listed[kept++] = listed[i];
    count = kept;
    for (int i = 0; i < count; i++)
        if (far[listed[i]] > most) most = far[listed[i]];
    kept = 0;
    for (int i = 0; i < count; i++)
        if (far[listed[i]] == most) listed[kept++] = listed[i];
    if (!kept) return 0;
    count = xw_of_degree(e, listed, kept, xw_least(e, listed, kept));
    *b = listed[xw_below(s, (uint32_t)count)];
    return xw_join(e, *a, *b);
}

static int xw_pool(const xw_group *group, uint32_t rows) {
    int columns = group->n_in * (group->n_s + 1);
    uint64_t pool = group->parameters[1];
    if (!pool && group->family == XW_GRAPH) pool = rows / 2 < 8 ? 8 : rows / 2;
    if (!pool) {
        double exact = 0.65 * rows;
        uint64_t low = (uint64_t)exact;
        double over = exact - (double)low;
        pool = over > 0.5 || (over == 0.5 && low % 2) ? low + 1 : low;
        if (pool < (uint64_t)columns) pool = (uint64_t)columns;
    }
    return pool > 65536 ? 65536 : (int)pool;
}

/* paired and graph: rows are sums of two running sums. */
static const char *xw_graph_rows(const xw_group *group, uint32_t rows, uint8_t *matrix, xw_area *area) {
    int columns = group->n_in * (group->n_s + 1), pool = xw_pool(group, rows), graph = group->family == XW_GRAPH;
    int run = (int)group->parameters[2], start = graph ? (int)group->parameters[3] : 3;
    int used = columns;
    if (graph && group->parameters[4]) used = group->n_in + (int)group->parameters[4];
    if (run < 1 || run > 1 << 20 || pool < 4 || used > columns || (graph && (pool < 8 || start < 2 || start + run - 1 > used)))
        return "the parameters of a graph are out of range";
    xw_edges e = {pool, (int)(8 * (uint64_t)rows / (unsigned)pool) + 16, run, 0, 0, 0};
    uint8_t *sums = xw_take(area, (size_t)pool * (unsigned)columns);
    e.neighbours = xw_take(area, sizeof(int32_t) * (size_t)pool * (unsigned)e.room);
    e.degrees = xw_take(area, sizeof(int32_t) * (size_t)pool);
    e.queue = xw_take(area, sizeof(int32_t) * (size_t)pool);
    int32_t *near = xw_take(area, sizeof(int32_t) * (size_t)pool), *far = xw_take(area, sizeof(int32_t) * (size_t)pool);
    int32_t *listed = xw_take(area, sizeof(int32_t) * (size_t)pool);
    int room = columns + 2 * pool; /* far more than a deck grows to: by one for two draws, where all but one are barred */
    int32_t *deck = xw_take(area, sizeof(int32_t) * 4 * (size_t)room), *added = xw_take(area, sizeof(int32_t) * (size_t)pool);
    int32_t *starts = xw_take(area, sizeof(int32_t) * 3 * ((size_t)pool / (unsigned)run + 1));
    if (!area->base) return NULL;
    xw_source source;
    uint64_t numbers[] = {(uint64_t)group->n_in, rows, (uint64_t)group->n_s, group->parameters[0], (uint64_t)pool,
                          (uint64_t)run, (uint64_t)start, graph ? group->parameters[4] : 0};
    xw_key(&source, graph ? "graph" : "paired", numbers, graph ? 8 : 6);
    memset(sums, 0, (size_t)pool * (unsigned)columns);
    memset(e.degrees, 0, sizeof(int32_t) * (size_t)pool);
    xw_deck newest = {deck, deck + 3 * room, 0, group->n_in, 0, room}, every = {deck + room, deck + 3 * room, 0, used, 0, room};
    xw_deck oldest = {deck + 2 * room, deck + 3 * room, group->n_in, used - group->n_in, 0, room};
    int width = columns < 3 ? columns : 3, holds = 0;
    int32_t held[4096];
    if (!graph) {
        xw_deal(&source, (uint32_t)pool, columns, 1, added, deck);
        xw_deal(&source, (uint32_t)((pool + run - 1) / run), columns, width, starts, deck);
    }
    for (int j = 0; j < pool; j++) {
        uint8_t *sum = sums + (size_t)j * (unsigned)columns;
        int begins = j % run == 0, before;
        if (begins) holds = 0;
        else memcpy(sum, sum - columns, (size_t)columns);
        before = holds;
        if (!graph) {
            for (int i = 0; i < (begins ? width : 1); i++) sum[begins ? starts[j / run * width + i] : added[j]] ^= 1;
            continue;
        }
        for (int i = 0; i < (begins ? start : 1); i++) {
            xw_deck *from = begins && i == 0 ? &newest : begins && i == 1 ? (oldest.count ? &oldest : &newest) : &every;
            held[holds] = xw_draw(&source, from, held, holds);
            if (held[holds++] < 0) return "a graph of so few columns must have fewer sums";
        }
        for (; before < holds; before++) sum[held[before]] ^= 1;
    }
    for (uint32_t row = 0; row < rows; row++) {
        int a, b, drawn;
        drawn = graph ? xw_edge_graph(&source, &e, near, far, listed, &a, &b) : xw_edge_paired(&source, &e, near, listed, &a, &b);
        if (!drawn) return "the pool must hold more sums";
        for (int c = 0; c < columns; c++)
            matrix[(size_t)row * (unsigned)columns + (unsigned)c] =
                sums[(size_t)a * (unsigned)columns + (unsigned)c] ^ sums[(size_t)b * (unsigned)columns + (unsigned)c];
    }
    return NULL;
}

/* sparse and chain: rows of cards that were dealt. */
static const char *xw_dealt_rows(const xw_group *group, uint32_t rows, uint8_t *matrix, xw_area *area) {
    int columns = group->n_in * (group->n_s + 1), chain = group->family == XW_CHAIN;
    uint64_t taps = group->parameters[1], run = chain ? group->parameters[2] : 1;
    if (!taps || taps > (unsigned)columns || !run || run > 1 << 20) return "taps and run are out of range";
    int least = taps > 5 ? (int)taps : 5, width = columns < least ? columns : least;
    if (width % 2 == 0) width += width < columns ? 1 : -1;
    uint32_t runs = (uint32_t)((rows + run - 1) / run);
    int32_t *deck = xw_take(area, sizeof(int32_t) * ((size_t)columns * 2 + 8));
    int32_t *fresh = xw_take(area, sizeof(int32_t) * rows * (size_t)taps), *starts = NULL;
    if (chain) starts = xw_take(area, sizeof(int32_t) * runs * (size_t)width);
    if (!area->base) return NULL;
    xw_source source;
    uint64_t numbers[] = {(uint64_t)group->n_in, rows, (uint64_t)group->n_s, group->parameters[0], taps, run};
    xw_key(&source, chain ? "chain" : "sparse", numbers, chain ? 6 : 5);
    xw_deal(&source, rows, columns, (int)taps, fresh, deck);
    if (chain) xw_deal(&source, runs, columns, width, starts, deck);
    memset(matrix, 0, (size_t)rows * (unsigned)columns);
    for (uint32_t row = 0; row < rows; row++) {
        uint8_t *line = matrix + (size_t)row * (unsigned)columns;
        int begins = chain && row % run == 0;
        if (chain && !begins) memcpy(line, line - columns, (size_t)columns);
        if (begins)
            for (int i = 0; i < width; i++) line[starts[row / run * (unsigned)width + (unsigned)i]] ^= 1;
        else
            for (uint64_t i = 0; i < taps; i++) line[fresh[row * taps + i]] ^= 1;
    }
    return NULL;
}

/* Make the matrix of a code, a byte an element; `matrix` has xw_rows rows. */
static const char *xw_matrix(const xw_tensor *t, const xw_group *group, uint8_t *matrix, xw_area *area) {
    uint32_t rows = xw_rows(group);
    int columns = group->n_in * (group->n_s + 1);
    size_t size = (size_t)rows * (unsigned)columns;
    if (rows < group->outputs || rows > 16384) return "a code must have at least n_out rows";
    if (group->family == XW_SPARSE || group->family == XW_CHAIN) return xw_dealt_rows(group, rows, matrix, area);
    if (group->family == XW_PAIRED || group->family == XW_GRAPH) return xw_graph_rows(group, rows, matrix, area);
    if (!area->base) return NULL;
    memset(matrix, 0, size);
    if (group->family == XW_IDENTITY) {
        for (uint32_t row = 0; row < rows && row < (uint32_t)columns; row++) matrix[(size_t)row * (unsigned)columns + row] = 1;
    } else if (group->family == XW_CUSTOM) {
        for (size_t i = 0; i < size; i++) matrix[i] = (uint8_t)xw_bit(t->data + group->matrix, i);
    } else {
        xw_source source;
        xw_shake shake;
        uint64_t numbers[] = {(uint64_t)group->n_in, rows, (uint64_t)group->n_s, group->parameters[0]};
        xw_key(&source, "uniform", numbers, 4);
        xw_call(&source, &shake);
        uint8_t byte = 0;
        for (size_t i = 0; i < size; i++) {
            if (i % 8 == 0) byte = xw_shake_byte(&shake);
            matrix[i] = byte >> i % 8 & 1;
        }
    }
    return NULL;
}

/* ---- the shaped mask --------------------------------------------------------------------------------------------- */

typedef struct {
    uint16_t *bit_of_output; /* n_out */
    uint64_t *parities;      /* n_out * parities: lags as bits */
    uint64_t recent;
} xw_mask;

/* Draw `count` lags of 1 .. most - 1, and lag 0. */
static uint64_t xw_hand(xw_source *s, int most, int count) {
    int32_t lags[64];
    uint64_t hand = 1;
    for (int i = 0; i < most - 1; i++) lags[i] = i + 1;
    xw_shuffle(s, lags, (uint32_t)(most - 1));
    for (int i = 0; i < count && i < most - 1; i++) hand |= (uint64_t)1 << lags[i];
    return hand;
}

/* Draw different hands; a bound on the tries keeps a header that lies from holding on for ever. */
static int xw_hands(xw_source *s, int most, int count, uint64_t *hands, int wanted) {
    int found = 0;
    for (int tries = 0; found < wanted; tries++) {
        if (tries > 1 << 16) return 0;
        uint64_t hand = xw_hand(s, most, count);
        int again = 0;
        for (int i = 0; i < found; i++) again |= hands[i] == hand;
        if (!again) hands[found++] = hand;
    }
    return 1;
}

static const char *xw_mask_code(const xw_tensor *t, xw_mask *mask) {
    const uint32_t *k = t->mask_numbers;
    uint32_t n_in = k[0], parities = k[1], window = k[2], taps = k[3], sums = k[4], bit = 0;
    xw_source source;
    for (uint32_t r = 0; r < t->n_out; r++) {
        while (bit < n_in && (uint64_t)(bit + 1) * t->n_out / n_in <= r) bit++;
        mask->bit_of_output[r] = (uint16_t)bit;
    }
    if (!sums) {
        uint64_t numbers[] = {n_in, t->n_out, parities, window, taps, k[5]};
        xw_key(&source, "shaped", numbers, 6);
        for (uint32_t r = 0; r < t->n_out; r++)
            if (!xw_hands(&source, (int)window, (int)taps - 1, mask->parities + (size_t)r * parities, (int)parities))
                return "the window must have as many parities";
        return NULL;
    }
    uint64_t numbers[] = {parities, window, taps, sums, k[5]}, hands[8];
    uint32_t reach = window / 4 ? window / 4 : 1, cards = reach * sums, most = (t->n_out + n_in - 1) / n_in * parities;
    int32_t deck[128];
    xw_key(&source, "shaped sums", numbers, 5);
    if (most > cards || cards > 128 || !xw_hands(&source, (int)(window - reach), (int)taps / 2 - 1, hands, (int)sums))
        return "the mask code must have as many sums";
    for (uint32_t i = 0; i < cards; i++) deck[i] = (int32_t)i; /* lag - 1 times sums, and the sum */
    xw_shuffle(&source, deck, cards);
    uint64_t drawn[128];
    for (uint32_t index = 0; index < most; index++) {
        uint32_t pick = 0;
        uint64_t newest = hands[index % sums];
        for (uint32_t i = 0; i < cards; i++)
            if (!(hands[(uint32_t)deck[i] % sums] << ((uint32_t)deck[i] / sums + 1) & newest)) {
                pick = i;
                break;
            }
        drawn[index] = newest ^ hands[(uint32_t)deck[pick] % sums] << ((uint32_t)deck[pick] / sums + 1);
        cards--;
        for (uint32_t i = pick; i < cards; i++) deck[i] = deck[i + 1];
    }
    for (uint32_t r = 0, first = 0; r < t->n_out; r++) {
        if (r && mask->bit_of_output[r] != mask->bit_of_output[r - 1]) first = r;
        for (uint32_t a = 0; a < parities; a++)
            mask->parities[(size_t)r * parities + a] = drawn[((r - first) * parities + a) % most];
    }
    return NULL;
}

static int xw_odd(uint64_t x) {
    for (int s = 32; s; s >>= 1) x ^= x >> s;
    return (int)(x & 1);
}

/* The mask bits of block t that is not through a book; blocks of a segment must come one after another. */
static void xw_mask_block(const xw_tensor *t, xw_mask *mask, uint64_t block, uint8_t *kept) {
    uint64_t begin = block * t->n_out;
    if (t->mask != 2) {
        for (uint32_t r = 0; r < t->n_out; r++)
            kept[r] = begin + r < t->length && (t->mask == 0 || xw_bit(t->data + t->mask_at, begin + r));
        return;
    }
    uint32_t n_in = t->mask_numbers[0], parities = t->mask_numbers[1], r = 0;
    if (block % t->segment_blocks == 0) mask->recent = 0;
    for (uint32_t b = 0; b < n_in; b++) {
        mask->recent = mask->recent << 1 | (uint64_t)xw_bit(t->data + t->mask_at, block * n_in + b);
        for (; r < t->n_out && mask->bit_of_output[r] == b; r++) {
            kept[r] = 1;
            for (uint32_t a = 0; a < parities; a++) kept[r] &= (uint8_t)xw_odd(mask->recent & mask->parities[(size_t)r * parities + a]);
        }
    }
}

/* The pattern that the planes of a position stand for. */
static uint32_t xw_pattern(const xw_tensor *t, uint32_t p) {
    int behind = t->pattern_planes - t->pattern_depth, k = 0;
    uint32_t code = p >> behind, first = 0; /* of the codewords of a length, as numbers of that length */
    for (int l = 1; l <= t->pattern_depth; l++) {
        uint32_t here = code >> (t->pattern_depth - l);
        if (here < first + t->counts[l]) {
            k += (int)(here - first);
            break;
        }
        first = (first + t->counts[l]) << 1;
        k += (int)t->counts[l];
    }
    return t->escapes && k == t->codewords - 1 ? p & xw_ones(t->pattern_bits) : t->patterns[k];
}

/* ---- scan, values, patches ------------------------------------------------------------------------------------- */

typedef struct {
    uint64_t rows, cols, spread;
    uint64_t padded, high, leap; /* of tiles: columns with padding, tiles one below the other, and what the walk leaps */
    xw_tile tile;
} xw_order;

static uint64_t xw_golden(uint64_t m) {
    int64_t size = (int64_t)m, start = (int64_t)(0.618033988749895 * (double)m + 0.5);
    for (int64_t step = 0; step < size; step++) {
        int64_t near[] = {start + step, start - step};
        for (int i = 0; i < 2; i++)
            if (near[i] > 0 && near[i] < size && !xw_common((uint64_t)near[i], m)) return (uint64_t)near[i];
    }
    return 1;
}

/* What the scans of matrices take beside the header. */
static xw_order xw_order_of(const xw_tensor *t) {
    xw_order order = {t->rank > 1 ? t->sides[0] : 1, 0, 1, 0, 0, 0, {0, 0, {{0, 0, 0}}}};
    if (t->scan < 2 || t->scan == 5) return order;
    order.cols = t->n / order.rows;
    if (t->scan == 4) {
        order.tile = xw_tile_of(t->scan_numbers);
        order.padded = (order.cols + order.tile.columns - 1) / order.tile.columns * order.tile.columns;
        order.high = (order.rows + 15) / 16;
        order.leap = xw_golden(order.high) % order.high;
    }
    order.spread = xw_golden(t->scan == 2 ? t->scan_numbers[0] : t->scan == 4 ? order.padded : order.cols);
    return order;
}

/* The element at a scan position, or n for padding. */
static uint64_t xw_element(const xw_tensor *t, const xw_order *order, uint64_t s) {
    const uint64_t *k = t->scan_numbers;
    if (t->scan == 0 || t->n < 2) return s;
    if (t->scan == 1) return (k[1] + s * k[0]) % t->n; /* both below 3e9 */
    if (t->scan == 5) {
        uint64_t at = t->length > 1 ? (k[1] + s * k[0]) % t->length : 0, row = at / t->live_column_count;
        uint64_t column = xw_live(t, t->live_columns, at % t->live_column_count);
        return xw_live(t, t->live_rows, row) * (t->n / order->rows) + column;
    }
    if (t->scan == 3) {
        uint64_t groups = (order->cols + k[0] * k[2] - 1) / (k[0] * k[2]) * k[2];
        uint64_t passes = (order->rows + 16 * k[1] - 1) / (16 * k[1]), c = k[0] >= 4 ? 4 : 1;
        uint64_t place = s % (passes * groups * k[1]), at = s / (passes * groups * k[1]), i = at % (16 * c);
        uint64_t line = (place % k[1] * passes + place / (k[1] * groups)) * 16 + i / c;
        uint64_t beside = place / k[1] % groups * k[0] + at / (16 * c) * c + i % c;
        return line < order->rows && beside < order->cols ? line * order->cols + beside * order->spread % order->cols : t->n;
    }
    if (t->scan == 4) {
        uint64_t lane = s / k[0], within = lane % order->tile.weights, line = 0, column = 0;
        for (int i = 5; i >= 0; i--) {
            uint64_t digit = within % (unsigned)order->tile.axes[i].size;
            within /= (unsigned)order->tile.axes[i].size;
            line += digit * (unsigned)order->tile.axes[i].rows;
            column += digit * (unsigned)order->tile.axes[i].columns;
        }
        uint64_t tile = lane / order->tile.weights * k[0] + s % k[0], run = tile / k[1];
        line += run % order->high * order->leap % order->high * 16;
        uint64_t beside = (run / order->high * k[1] + tile % k[1]) * order->tile.columns + column;
        if (line >= order->rows || beside >= order->padded) return t->n;
        beside = beside * order->spread % order->padded;
        return beside < order->cols ? line * order->cols + beside : t->n;
    }
    uint64_t block = s / k[0], lane = s % k[0];
    if (block < k[3]) return t->n;
    block -= k[3];
    uint64_t row = (block / (k[1] * order->cols) * k[1] + block % k[1]) * k[0] + lane;
    uint64_t tap = lane * order->spread % k[0] * order->cols / k[0];
    uint64_t column = (k[2] + block / k[1] % order->cols + tap) % order->cols;
    return row < order->rows ? row * order->cols + column : t->n;
}

static uint32_t xw_negated(const xw_tensor *t, uint32_t v) {
    uint32_t low = xw_ones(t->n_w - 1), top = v & ~low & xw_ones(t->n_w);
    return top ? top | ((~v + 1u) & low) : v;
}

/* The word that the planes of one weight stand for. */
static uint32_t xw_value(const xw_tensor *t, uint64_t p) {
    if (t->coder == 0) {
        uint32_t v = (uint32_t)p ^ t->inversion;
        if (t->transform == 1)
            for (int s = 1; s < t->n_w; s *= 2) v ^= v >> s;
        return t->transform == 2 ? xw_negated(t, v) : v;
    }
    if (!t->classes) return 0;
    uint64_t code = p >> (t->tail_planes + 1), first = 0, next = 0;
    int at = -1;
    for (int k = 0; k < t->classes; k++) {
        if (next > code) break;
        at = k;
        first = next;
        next += (uint64_t)1 << (t->depth - t->lengths[k]);
    }
    if (t->tails[at] < 0 || (at == t->classes - 1 && code >= first + ((uint64_t)1 << (t->depth - t->lengths[at])))) return 0;
    uint32_t sign = (uint32_t)(p >> t->tail_planes & 1), ones = xw_ones(t->tails[at]), tail = (uint32_t)p & ones;
    if (t->magnitude == 3 && sign) tail ^= ones;
    uint32_t low = xw_ones(t->n_w - 1), m = (uint32_t)((uint64_t)t->prefixes[at] << t->tails[at]) | tail;
    if (sign && (t->magnitude & 1)) m ^= low;
    if (sign && t->magnitude == 2) m = (0u - m) & low;
    return (sign << (t->n_w - 1) | m) & xw_ones(t->n_w);
}

static void xw_flip(const xw_tensor *t, const xw_order *order, void *out, uint64_t s, uint32_t difference) {
    uint64_t e = s < t->length ? xw_element(t, order, s) : t->n;
    if (e >= t->n) return;
    if (t->word_bytes == 1) ((uint8_t *)out)[e] ^= (uint8_t)difference;
    if (t->word_bytes == 2) ((uint16_t *)out)[e] ^= (uint16_t)difference;
    if (t->word_bytes == 4) ((uint32_t *)out)[e] ^= difference;
}

static const char *xw_apply_patches(const xw_tensor *t, const xw_order *order, void *out) {
    const uint8_t *bits = t->data + t->patches_at;
    uint64_t at = 0, next = 0;
    if (!t->length) return t->patch_bits ? "patches must have a word to change" : NULL;
    if (t->patches == 2 || t->patches == 4) {
        for (; at + t->gap + (unsigned)t->n_w <= t->patch_bits; at += t->gap + (unsigned)t->n_w) {
            uint64_t s = next + xw_bits(bits, at, (int)t->gap);
            xw_flip(t, order, out, s, xw_bits(bits, at + t->gap, t->n_w));
            next = s + 1;
        }
    } else if (t->patches == 3) {
        for (; at + t->gap <= t->patch_bits; at += t->gap) {
            uint32_t field = xw_bits(bits, at, (int)t->gap);
            next += field;
            if (field == xw_ones((int)t->gap)) continue;
            if (next / t->length >= (unsigned)t->n_w) return "a patch lies beyond the last plane";
            xw_flip(t, order, out, next % t->length, 1u << next / t->length);
            next++;
        }
    } else if (t->patches == 1) {
        for (int q = 0; q < t->n_w; q++)
            for (uint64_t begin = 0; begin < t->length; begin += 512)
                for (int more = at < t->patch_bits && xw_bit(bits, at++); more;) {
                    if (at + 10 > t->patch_bits) return "the patches end too early";
                    uint32_t entry = xw_bits(bits, at, 10);
                    at += 10;
                    xw_flip(t, order, out, begin + (entry & 511), 1u << q);
                    more = (int)(entry >> 9);
                }
    }
    return at == t->patch_bits ? NULL : "the patches are longer than what they say";
}

/* ---- decoding -------------------------------------------------------------------------------------------------------- */

typedef struct {
    uint16_t *taps; /* n_out rows: their number, then the columns */
    uint64_t *window; /* (n_s + 1) * n_in words of planes, a ring of symbols */
    int stored, place[32]; /* stored planes, and the bit of the word that each is */
} xw_stream;

/* Lay the scratch area out, and make the matrices if there is one. */
static const char *xw_plan(const xw_tensor *t, xw_area *area, xw_stream *streams, xw_mask *mask, uint8_t **kept, uint64_t **planes) {
    size_t most = 0;
    const char *wrong = NULL;
    *kept = xw_take(area, t->n_out);
    *planes = xw_take(area, sizeof(uint64_t) * t->n_out);
    mask->bit_of_output = xw_take(area, sizeof(uint16_t) * t->n_out);
    mask->parities = xw_take(area, sizeof(uint64_t) * t->n_out * (t->mask == 2 ? t->mask_numbers[1] : 0));
    for (int g = 0; g < t->groups; g++) {
        size_t columns = (size_t)(t->group[g].n_in * (t->group[g].n_s + 1));
        streams[g].taps = xw_take(area, sizeof(uint16_t) * t->group[g].outputs * (columns + 1));
        streams[g].window = xw_take(area, sizeof(uint64_t) * columns);
    }
    for (int g = 0; g < t->groups; g++) { /* what making a matrix takes is given back after each */
        const xw_group *group = &t->group[g];
        size_t columns = (size_t)(group->n_in * (group->n_s + 1));
        xw_area rest = *area;
        uint8_t *matrix = xw_take(&rest, xw_rows(group) * columns);
        wrong = xw_matrix(t, group, matrix, &rest);
        if (rest.at > most) most = rest.at; /* of a later group that is refused, the ones before it are made first, too */
        if (wrong) break;
        for (uint32_t r = 0; r < group->outputs && area->base; r++) {
            uint16_t *row = streams[g].taps + r * (columns + 1);
            row[0] = 0;
            for (size_t c = 0; c < columns; c++)
                if (matrix[r * columns + c]) row[++row[0]] = (uint16_t)c;
        }
        streams[g].stored = 0;
        for (int q = 0; q < group->end - group->first; q++)
            if (!(group->constant >> q & 1)) streams[g].place[streams[g].stored++] = q;
    }
    if (most > area->at) area->at = most;
    return wrong;
}

static size_t xw_scratch_bytes(const xw_tensor *t) {
    xw_area area = {NULL, 0};
    xw_stream streams[XW_MAX_GROUPS];
    xw_mask mask;
    uint8_t *kept;
    uint64_t *planes;
    xw_plan(t, &area, streams, &mask, &kept, &planes);
    return area.at + 8;
}

/* Decode one block of a group into its places of words of so many planes. */
static void xw_group_block(const xw_tensor *t, const xw_group *group, xw_stream *stream, uint64_t block, int of, uint64_t *planes) {
    int n_in = group->n_in, symbols = group->n_s + 1, columns = n_in * symbols;
    uint64_t at = block * (uint64_t)n_in * (unsigned)stream->stored;
    if (block % t->segment_blocks == 0) memset(stream->window, 0, sizeof(uint64_t) * (size_t)columns);
    memmove(stream->window + n_in, stream->window, sizeof(uint64_t) * (size_t)(columns - n_in));
    for (int b = 0; b < n_in; b++) {
        stream->window[b] = 0;
        for (int j = 0; j < stream->stored; j++)
            stream->window[b] |= (uint64_t)xw_bit(t->data + group->symbols, at++) << stream->place[j];
    }
    for (uint32_t r = 0; r < group->outputs; r++) {
        const uint16_t *row = stream->taps + (size_t)r * (unsigned)(columns + 1);
        uint64_t word = 0;
        for (int i = 1; i <= row[0]; i++) word ^= stream->window[row[i]];
        planes[r] |= word << (of - group->end);
    }
}

/* Decode the groups first .. end - 1 of a block. */
static void xw_groups_block(const xw_tensor *t, int first, int end, xw_stream *streams, uint64_t block, int of, uint64_t *planes) {
    memset(planes, 0, sizeof(uint64_t) * t->n_out);
    for (int g = first; g < end; g++) xw_group_block(t, &t->group[g], &streams[g], block, of, planes);
}

/* The mask bits of a block that is through a book; `planes` is overwritten. */
static void xw_book_block(const xw_tensor *t, xw_stream *streams, uint64_t block, uint64_t *planes, uint8_t *kept) {
    uint32_t m = (uint32_t)t->pattern_bits;
    xw_groups_block(t, 0, t->mask_groups, streams, block, t->pattern_planes, planes);
    for (uint32_t r = 0; r < t->n_out / m; r++) {
        uint32_t pattern = xw_pattern(t, (uint32_t)planes[r]);
        for (uint32_t i = 0; i < m; i++) kept[r * m + i] = pattern >> i & 1;
    }
}

static const char *xw_decode(const xw_tensor *t, void *out, void *scratch) {
    xw_area area = {scratch, 0};
    xw_stream streams[XW_MAX_GROUPS];
    xw_mask mask = {0, 0, 0};
    xw_order order = xw_order_of(t);
    uint8_t *kept;
    uint64_t *planes;
    const char *wrong = xw_plan(t, &area, streams, &mask, &kept, &planes);
    if (wrong || (t->mask == 2 && (wrong = xw_mask_code(t, &mask)))) return wrong;
    memset(out, 0, (size_t)t->n * (unsigned)t->word_bytes);
    if (t->coder == 2) {
        uint64_t at = 0;
        for (uint64_t i = 0; i < t->length; i++) {
            if (t->mask == 1 && !xw_bit(t->data + t->mask_at, i)) continue;
            xw_flip(t, &order, out, i, xw_bits(t->data + t->words_at, at, t->n_w));
            at += (unsigned)t->n_w;
        }
        return NULL; /* the checksum of the bytes says as much as one of the words */
    }
    for (uint64_t block = 0; block < t->blocks; block++) {
        if (t->mask == 3) xw_book_block(t, streams, block, planes, kept);
        else xw_mask_block(t, &mask, block, kept);
        xw_groups_block(t, t->mask_groups, t->groups, streams, block, t->planes, planes);
        for (uint32_t r = 0; r < t->n_out; r++)
            if (kept[r] && t->groups > t->mask_groups) xw_flip(t, &order, out, block * t->n_out + r, xw_value(t, planes[r]));
    }
    if ((wrong = xw_apply_patches(t, &order, out))) return wrong;
    uint32_t crc = 0;
    for (uint64_t e = 0; e < t->n; e++) {
        uint32_t word = t->word_bytes == 1 ? ((uint8_t *)out)[e] : t->word_bytes == 2 ? ((uint16_t *)out)[e] : ((uint32_t *)out)[e];
        uint8_t bytes[4] = {(uint8_t)word, (uint8_t)(word >> 8), (uint8_t)(word >> 16), (uint8_t)(word >> 24)};
        crc = xw_crc(crc, bytes, (size_t)t->word_bytes);
    }
    return crc == t->checksum ? NULL : "the checksum of the decoded words is another";
}

#endif
