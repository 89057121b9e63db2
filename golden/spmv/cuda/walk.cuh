// The walk of a group of tiles: TileOrder (tiles.py), step by step.
#pragma once

// XW_RUN neighbours, then a leap to another row of tiles.
struct Walk {
    int turn, row_tile, row_tiles, rotation;
    u32 column_tile;  // of the first run
    XW_INLINE Walk(int first_run, int row_tiles_, int rotation_) : row_tiles(row_tiles_), rotation(rotation_) {
        turn = first_run % row_tiles;
        row_tile = static_cast<int>(static_cast<long long>(turn) * rotation % row_tiles);
        column_tile = static_cast<u32>(first_run / row_tiles * XW_RUN);
    }
    // To the start of the next run; true if it has the same columns.
    XW_INLINE bool leap() {
        row_tile += rotation;
        if (row_tile >= row_tiles) row_tile -= row_tiles;
        if (++turn < row_tiles) return true;
        turn = row_tile = 0;
        return false;
    }
};
