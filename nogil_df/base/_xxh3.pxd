# XXH3 of short keys, for compiled modules: what `nogil_df.base.hashing.hash_key` gives, without a call of Python.
#
# The compiled table hashes every key of a segment that splits; called through Python that is 80 ns a key, here 5.
# Only inputs of up to LONGEST bytes are covered, which is where XXH3 has its short forms (four of them, by length);
# whoever meets a longer key calls the function of the xxhash package, whose results these are held to by a test.
#
# Source: the XXH3 specification (Yann Collet, github.com/Cyan4973/xxHash, doc/xxhash_spec.md), seed 0.

from libc.stdint cimport uint64_t

cdef extern from *:
    """
    #ifndef NOGIL_DF_XXH3
    #define NOGIL_DF_XXH3
    #include <stdint.h>
    #include <string.h>

    #define NOGIL_DF_XXH3_LONGEST 240

    /* The secret that the specification gives, of which the short forms use 192 bytes. */
    static const uint8_t df_secret[192] = {
        0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c,
        0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f,
        0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
        0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c,
        0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3,
        0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
        0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d,
        0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64,
        0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
        0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e,
        0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce,
        0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
    };

    #define DF_PRIME1 0x9E3779B185EBCA87ULL
    #define DF_PRIME2 0xC2B2AE3D27D4EB4FULL
    #define DF_PRIME3 0x165667B19E3779F9ULL

    static inline uint64_t df_read64(const void *at) {
        uint64_t word;
        memcpy(&word, at, 8);
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
    #endif
        return word;
    }

    static inline uint32_t df_read32(const void *at) {
        uint32_t word;
        memcpy(&word, at, 4);
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap32(word);
    #endif
        return word;
    }

    static inline uint64_t df_fold(uint64_t a, uint64_t b) {
        unsigned __int128 product = (unsigned __int128)a * b;
        return (uint64_t)product ^ (uint64_t)(product >> 64);
    }

    static inline uint64_t df_rotated(uint64_t h, int bits) {
        return h << bits | h >> (64 - bits);
    }

    static inline uint64_t df_avalanche(uint64_t h) {
        h ^= h >> 37;
        h *= 0x165667919E3779F9ULL;
        return h ^ h >> 32;
    }

    static inline uint64_t df_old_avalanche(uint64_t h) {
        h ^= h >> 33;
        h *= DF_PRIME2;
        h ^= h >> 29;
        h *= DF_PRIME3;
        return h ^ h >> 32;
    }

    static inline uint64_t df_mixed(const uint8_t *at, const uint8_t *secret) {
        return df_fold(df_read64(at) ^ df_read64(secret), df_read64(at + 8) ^ df_read64(secret + 8));
    }

    static inline uint64_t df_xxh3_to_16(const uint8_t *at, uint64_t size) {
        const uint8_t *secret = df_secret;
        if (size > 8) {
            uint64_t low = df_read64(at) ^ df_read64(secret + 24) ^ df_read64(secret + 32);
            uint64_t high = df_read64(at + size - 8) ^ df_read64(secret + 40) ^ df_read64(secret + 48);
            return df_avalanche(size + __builtin_bswap64(low) + high + df_fold(low, high));
        }
        if (size >= 4) {
            uint64_t both = df_read32(at + size - 4) + ((uint64_t)df_read32(at) << 32);
            uint64_t h = both ^ df_read64(secret + 8) ^ df_read64(secret + 16);
            h ^= df_rotated(h, 49) ^ df_rotated(h, 24);
            h *= 0x9FB21C651E98DF25ULL;
            h ^= (h >> 35) + size;
            h *= 0x9FB21C651E98DF25ULL;
            return h ^ h >> 28;
        }
        if (size) {
            uint32_t word = (uint32_t)at[0] << 16 | (uint32_t)at[size >> 1] << 24 | at[size - 1] | (uint32_t)size << 8;
            return df_old_avalanche((uint64_t)word ^ (df_read32(secret) ^ df_read32(secret + 4)));
        }
        return df_old_avalanche(df_read64(secret + 56) ^ df_read64(secret + 64));
    }

    static inline uint64_t df_xxh3_to_128(const uint8_t *at, uint64_t size) {
        uint64_t sum = size * DF_PRIME1;
        int i;
        for (i = (int)((size - 1) / 32); i >= 0; i--) {
            sum += df_mixed(at + 16 * i, df_secret + 32 * i);
            sum += df_mixed(at + size - 16 * (i + 1), df_secret + 32 * i + 16);
        }
        return df_avalanche(sum);
    }

    static uint64_t df_xxh3_to_240(const uint8_t *at, uint64_t size) {
        uint64_t sum = size * DF_PRIME1;
        int i, rounds = (int)(size / 16);
        for (i = 0; i < 8; i++)
            sum += df_mixed(at + 16 * i, df_secret + 16 * i);
        sum = df_avalanche(sum);
        for (i = 8; i < rounds; i++)
            sum += df_mixed(at + 16 * i, df_secret + 16 * (i - 8) + 3);
        sum += df_mixed(at + size - 16, df_secret + 136 - 17);
        return df_avalanche(sum);
    }

    static inline uint64_t nogil_df_xxh3(const void *at, uint64_t size) {
        if (size <= 16)
            return df_xxh3_to_16((const uint8_t *)at, size);
        if (size <= 128)
            return df_xxh3_to_128((const uint8_t *)at, size);
        return df_xxh3_to_240((const uint8_t *)at, size);
    }
    #endif
    """
    const int LONGEST "NOGIL_DF_XXH3_LONGEST"
    uint64_t xxh3 "nogil_df_xxh3" (const void *at, uint64_t size) noexcept nogil
