/* The yardsticks of the Swing kernel: the same algorithm in C, and the merge loop of Flink ML and Alink.
 *
 * Both take users' lists as flat arrays (user u owns items[offsets[u]] to items[offsets[u + 1]], ascending) and write the
 * best `top_k` neighbours of every item; weights are 1. Built by the benchmark with `cc -O3 -march=native -shared -fPIC`.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CELLS_CLEARED_PER_PAIR 8
#define ROUNDING 2049.0

typedef struct {
    double score;
    int32_t item;
} Scored;

static int is_worse(Scored a, Scored b) { return a.score < b.score || (a.score == b.score && a.item > b.item); }

static void sift_down(Scored *heap, int parent, int size) {
    Scored moved = heap[parent];
    for (int child; (child = 2 * parent + 1) < size; parent = child) {
        if (child + 1 < size && is_worse(heap[child + 1], heap[child])) child++;
        if (!is_worse(heap[child], moved)) break;
        heap[parent] = heap[child];
    }
    heap[parent] = moved;
}

/* Keep the `top_k` best of a row, best first and at its beginning; returns how many were written. */
static int write_best(Scored *row, int n, int top_k, int32_t item, int32_t *out_item, int32_t *out_neighbor, double *out_score) {
    int size = n < top_k ? n : top_k;
    for (int t = 0; t < n; t++) {
        double scaled = row[t].score * ROUNDING;
        row[t].score = scaled - (scaled - row[t].score);
    }
    for (int parent = size / 2 - 1; parent >= 0; parent--) sift_down(row, parent, size);
    for (int t = size; t < n; t++)
        if (is_worse(row[0], row[t])) {
            row[0] = row[t];
            sift_down(row, 0, size);
        }
    for (int end = size - 1; end > 0; end--) {
        Scored best = row[end];
        row[end] = row[0];
        row[0] = best;
        sift_down(row, 0, end);
    }
    for (int t = 0; t < size; t++) {
        out_item[t] = item;
        out_neighbor[t] = row[t].item;
        out_score[t] = row[t].score;
    }
    return size;
}

typedef struct {
    int64_t *starts;
    int32_t *users;
} ItemCsr;

static ItemCsr turn_round(int32_t n_users, int32_t n_items, const int64_t *offsets, const int32_t *items) {
    ItemCsr of = {calloc(n_items + 1, sizeof(int64_t)), malloc(sizeof(int32_t) * (offsets[n_users] + 1))};
    for (int64_t e = 0; e < offsets[n_users]; e++) of.starts[items[e] + 1]++;
    for (int32_t i = 0; i < n_items; i++) of.starts[i + 1] += of.starts[i];
    int64_t *place = malloc(sizeof(int64_t) * n_items);
    memcpy(place, of.starts, sizeof(int64_t) * n_items);
    for (int32_t u = 0; u < n_users; u++)
        for (int64_t e = offsets[u]; e < offsets[u + 1]; e++) of.users[place[items[e]]++] = u;
    free(place);
    return of;
}

/* The kernel of this package: count common items of an item's user pairs in a table, add the terms, clear the table. */
int64_t swing_table(int32_t n_users, int32_t n_items, const int64_t *offsets, const int32_t *items, const double *w, double a2, int top_k,
                    int64_t table_cells, int32_t *out_item, int32_t *out_neighbor, double *out_score) {
    ItemCsr of = turn_round(n_users, n_items, offsets, items);
    int64_t most = 0, longest = 0, reach = 0, rows = 0;
    for (int32_t i = 0; i < n_items; i++) {
        int64_t own = of.starts[i + 1] - of.starts[i], sum = 0;
        for (int64_t p = of.starts[i]; p < of.starts[i + 1]; p++) sum += offsets[of.users[p] + 1] - offsets[of.users[p]];
        if (own > most) most = own;
        if (sum > reach) reach = sum;
    }
    for (int32_t u = 0; u < n_users; u++)
        if (offsets[u + 1] - offsets[u] > longest) longest = offsets[u + 1] - offsets[u];
    int64_t cells = most * most < table_cells ? most * most : table_cells;
    if (cells < most) cells = most;
    int32_t *table = calloc(cells + 1, sizeof(int32_t));
    double *reciprocals = malloc(sizeof(double) * (longest + 1));
    for (int64_t n = 0; n <= longest; n++) reciprocals[n] = 1.0 / (a2 + (n + 1));
    int32_t *seen = calloc(n_items, sizeof(int32_t)), *kept = malloc(sizeof(int32_t) * n_items);
    int64_t *starts = malloc(sizeof(int64_t) * (n_items + 1)), *place = malloc(sizeof(int64_t) * (n_items + 1));
    int64_t *begin = malloc(sizeof(int64_t) * (n_items + 1)), *end = malloc(sizeof(int64_t) * (n_items + 1));
    uint32_t *users = malloc(sizeof(uint32_t) * (reach + 1));
    double *strengths = malloc(sizeof(double) * (reach + 1));
    Scored *row = malloc(sizeof(Scored) * (n_items + 1));
    for (int32_t item = 0; item < n_items; item++) {
        const int32_t *own = of.users + of.starts[item];
        int64_t n_own = of.starts[item + 1] - of.starts[item];
        if (n_own < 2) continue;
        int32_t touched = 0, n = 0;
        for (int64_t p = 0; p < n_own; p++)
            for (int64_t e = offsets[own[p]]; e < offsets[own[p] + 1]; e++)
                if (seen[items[e]]++ == 0) kept[touched++] = items[e];
        seen[item] = 0;
        for (int32_t t = 0; t < touched; t++) {
            if (seen[kept[t]] >= 2)
                kept[n++] = kept[t];
            else
                seen[kept[t]] = 0;
        }
        starts[0] = 0;
        for (int32_t t = 0; t < n; t++) {
            starts[t + 1] = starts[t] + seen[kept[t]];
            place[t] = begin[t] = starts[t];
            seen[kept[t]] = t + 1;
            row[t].score = 0.0;
            row[t].item = kept[t];
        }
        for (int64_t p = 0; p < n_own; p++)
            for (int64_t e = offsets[own[p]]; e < offsets[own[p] + 1]; e++) {
                int32_t t = seen[items[e]] - 1;
                if (t >= 0) {
                    users[place[t]] = (uint32_t)p;
                    strengths[place[t]++] = w[own[p]];
                }
            }
        for (int32_t t = 0; t < n; t++) seen[kept[t]] = 0;
        int64_t height = cells / n_own > 1 ? cells / n_own : 1;
        if (height > n_own) height = n_own;
        for (int64_t low = 0; low < n_own; low += height) {
            for (int32_t t = 0; t < n; t++) {
                end[t] = height < n_own ? begin[t] : starts[t + 1];
                while (end[t] < starts[t + 1] && users[end[t]] < low + height) end[t]++;
                for (int64_t a = begin[t]; a < end[t]; a++)
                    for (int64_t b = a + 1; b < starts[t + 1]; b++) table[(users[a] - low) * n_own + users[b]]++;
            }
            for (int32_t t = 0; t < n; t++)
                for (int64_t a = begin[t]; a < end[t]; a++)
                    for (int64_t b = a + 1; b < starts[t + 1]; b++)
                        row[t].score += strengths[a] * strengths[b] * reciprocals[table[(users[a] - low) * n_own + users[b]]];
            int64_t pairs = 0;
            for (int32_t t = 0; t < n; t++) pairs += (end[t] - begin[t]) * (starts[t + 1] - begin[t]);
            if (height * n_own <= CELLS_CLEARED_PER_PAIR * pairs)
                memset(table, 0, sizeof(int32_t) * height * n_own);
            else
                for (int32_t t = 0; t < n; t++)
                    for (int64_t a = begin[t]; a < end[t]; a++)
                        for (int64_t b = a + 1; b < starts[t + 1]; b++) table[(users[a] - low) * n_own + users[b]] = 0;
            for (int32_t t = 0; t < n; t++) begin[t] = end[t];
        }
        rows += write_best(row, n, top_k, item, out_item + rows, out_neighbor + rows, out_score + rows);
    }
    free(of.starts), free(of.users), free(table), free(reciprocals), free(seen), free(kept), free(starts), free(place);
    free(begin), free(end), free(users), free(strengths), free(row);
    return rows;
}

/* The loop of Flink ML and Alink: intersect the lists of each pair of an item's users, add the term to every common item. */
int64_t swing_merge(int32_t n_users, int32_t n_items, const int64_t *offsets, const int32_t *items, const double *w, double a2, int top_k,
                    int32_t *out_item, int32_t *out_neighbor, double *out_score) {
    ItemCsr of = turn_round(n_users, n_items, offsets, items);
    double *score = calloc(n_items, sizeof(double));
    int32_t *kept = malloc(sizeof(int32_t) * n_items), *common = malloc(sizeof(int32_t) * n_items);
    Scored *row = malloc(sizeof(Scored) * (n_items + 1));
    int64_t rows = 0;
    for (int32_t item = 0; item < n_items; item++) {
        int32_t touched = 0;
        for (int64_t p = of.starts[item]; p < of.starts[item + 1]; p++)
            for (int64_t q = p + 1; q < of.starts[item + 1]; q++) {
                int64_t a = offsets[of.users[p]], b = offsets[of.users[q]];
                int64_t a_end = offsets[of.users[p] + 1], b_end = offsets[of.users[q] + 1];
                int32_t n = 0;
                while (a < a_end && b < b_end) {
                    if (items[a] < items[b])
                        a++;
                    else if (items[a] > items[b])
                        b++;
                    else {
                        common[n++] = items[a];
                        a++, b++;
                    }
                }
                double term = w[of.users[p]] * w[of.users[q]] / (a2 + n);
                for (int32_t c = 0; c < n; c++) {
                    if (common[c] == item) continue;
                    if (score[common[c]] == 0.0) kept[touched++] = common[c];
                    score[common[c]] += term;
                }
            }
        for (int32_t t = 0; t < touched; t++) {
            row[t].score = score[kept[t]];
            row[t].item = kept[t];
            score[kept[t]] = 0.0;
        }
        rows += write_best(row, touched, top_k, item, out_item + rows, out_neighbor + rows, out_score + rows);
    }
    free(of.starts), free(of.users), free(score), free(kept), free(common), free(row);
    return rows;
}
