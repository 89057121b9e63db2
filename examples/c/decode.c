/* Decode one stored tensor (the bytes of a container's entry xorweave/NAME) to its words: decode BLOB > WORDS */
#include "xorweave.h"

#include <stdlib.h>

int main(int count, char **arguments) {
    static xw_tensor tensor;
    FILE *file = count == 2 ? fopen(arguments[1], "rb") : NULL;
    if (!file) {
        fprintf(stderr, "usage: decode BLOB > WORDS\n");
        return 2;
    }
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(size + 1);
    int whole = bytes && fread(bytes, 1, size, file) == size;
    fclose(file);
    const char *wrong = whole ? xw_read(&tensor, bytes, size) : "the file cannot be read";
    if (!wrong) {
        void *scratch = malloc(xw_scratch_bytes(&tensor));
        void *words = malloc((size_t)tensor.n * (size_t)tensor.word_bytes + 1);
        wrong = scratch && words ? xw_decode(&tensor, words, scratch) : "there is not enough memory";
        if (!wrong) fwrite(words, (size_t)tensor.word_bytes, (size_t)tensor.n, stdout);
        free(words);
        free(scratch);
    }
    free(bytes);
    if (wrong) fprintf(stderr, "decode: %s\n", wrong);
    return wrong ? 1 : 0;
}
