// The walk of a group of tiles: TileOrder (tiles.py), step by step.
#pragma once

// XW_RUN neighbours, then a leap to another row of tiles.
struct Walk {
    int turn, row_tile, row_tiles, rotation;
    u32 column_tile;
    XW_INLINE Walk(int first_run, int row_tiles_, int rotation_) : row_tiles(row_tiles_), rotation(rotation_) {
        turn = first_run % row_tiles;
        row_tile = static_cast<int>(static_cast<long long>(turn) * rotation % row_tiles);
        column_tile = static_cast<u32>(first_run / row_tiles * XW_RUN);
    }
    XW_INLINE void leap() {  // from behind the end of a run to the start of the next
        if (++turn == row_tiles) {
            turn = 0;
            row_tile = 0;
        } else {
            column_tile -= XW_RUN;
            row_tile += rotation;
            if (row_tile >= row_tiles) row_tile -= row_tiles;
        }
    }
};
