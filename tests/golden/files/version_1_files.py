"""Containers that release 0.1 before version 2 wrote, and the words that are in them.

Each is a whole file with one tensor ``w``, a carried ``b`` and a note; zlib and base64, as are the words
of the tensor that was encoded, pruned ones 0."""

FILES: dict[str, tuple[str, str]] = {
    "plain": (
        "eNp1UrtOwzAUjRAbCxuICcyIBXHSllIpggkhdlhIFbmJQ00TG9luS1VFQog/4BOYmWGBjU/gH/gLsG9AlJeH2D7X95yjc/Mw58"
        "GaoiQpmaEZNTRJUGeKLqQaMzpiqIOmMeIil7GFY6QZy+wpRmGMKhwjw4SWStfFcb2lfZYOkhEthgye+qFP8nCnESPbkMqsRnNa"
        "8mISDQXPpSqxSLiIGnaTQxMR3x50RLCTi8KPRqENFSY5L6hgTtEHVCmWGi5F0uPGoUH7G6xB7ExyYTotIMrM5Ly2YLE2QEw4Ww"
        "pAVvCSC+p6ocbFiCkNN1CUea6Z+bhoZm1lYGazCffTklmPvUKmAwdvO7BPQfCkhQnpOsAoDikQl6CiQrsIQF1IYQuVi/ZLllQ2"
        "a9RzcwHzdij7YYBwzWyJwy5GMLvanLaQj0nQtV2fg9wab82EMkt11J5havxmIgEmrR9UJdWDfzl2/uBo4aD5g0NPyp4s/rcStH"
        "/zBE3cDLtVtVqv+u+93LWfvZvDjYWD6/7y+vzL49zz2pK3mF49Dt/uXtMnzzsO76OV1dttb3DsvQPiuPRM",
        "eNpjYGD4zMBwiYGB4R4QM2QAMTvDgWsg9kl5IPFLCUiYgLj8IIJhP4M4gzfDG7edDEE/slsYZBnmAwCCMgzx",
    ),
    "custom": (
        "eNp9kjGP0zAUx8MJFsTChpjAbMiicdIrvUoFphMDKyyXKnKSl6tpYp9st72qF8RwExKsp2NmQELiG/AF2BgY2RnYWBAT9sshSs"
        "vhIbb/zvv9n9/zj60Ax5KkaQ2WF9zyNCWDJTlUeg58BmRAlgkRslSJkxNiAAq3SkickIYmxII0Spv2cN5O+RjySTrj1RTw1yzk"
        "OywMewlxAbkqWrXktagWw3xqrKqpTIUcdt2kpnbIQrcwQ3YWII3l0qYHFZfgnUJUtYbcCiXTTFivsvgv2aDJUyWkHWwjqLCLg9"
        "baaX2UQPp0NIpQiVpI7mPxTMgZaIM7dFRlacCebQy4tApM5s427vdrcDlmlconXr7rxTFHw70eZWzkBasF3p75ymkuTal0je5S"
        "SXfQ+JL+sWWNqzHJfD8wedeM3TgitCU7cDyiBHvWJmecFFIWjVzU7wZ25p2VoqyiHvdXSNEmiUWUdddQ+yBBc6v0uSAW/oPUpd"
        "E6qeZmci5kZ5MRdWkcrzHMos5U9Z9L9Tc5cUx7bNQ0N/xoX//z++7zwFz4+eXepdO9zvzJ5YfH42u3Ln7+sPX9ZhCcvP345tn7"
        "b+/I7SD4+unR6+tHL46vvLr68heG+g+s",
        "eNpjYGD4zMBwiYGB4R4QM2QAMTvDgWsg9kl5IPFLCUiYgLj8IIJhP4M4gzfDG7edDEE/slsYZBnmAwCCMgzx",
    ),
    "paper": (
        "eNp1kk9O3DAUxiPKCbrosgK3SwviZIZmkCJYVK0E666aUeQkL8WaxB7ZngyjUSQWPQC3YMuWE3TBhgP0AtyCZwek4V8WsfNz3v"
        "d9eS/XW4G/1iTPW7C84pbnOTlck3Oll8A7IIdknREha5UhzogBqHCXkTgjPc2IBWmUNsPhcljKMyhnecebBfhXwzhkdTwZZQQL"
        "SlUNtOataFbpQopa6ZbKXMh0hIta2JSFuDEpo84ujR8LpbFc2nzecAnOMfRUayitUDIvhHU0eUaN95rzOWivUtnVfPAX0iYegX"
        "SZtIedsKAL4bmQHWiDGnjCkm9IVF0bsI/OBjBR5XPsjf3znxYwXtGocuawqzBn3Nv9PqCMTR2wWvgGMNc8zaVxX++9pZJ40Luu"
        "bhj32GZSuJH46DiPH3FE6KCMwvGUEj+2IZxBFFIWTbHqaYb7y/2NhmxK/Uo2lNhrJRZRFr+QarmZvasxeUMjptHLOGbVFqp5P0"
        "qUvNaJIjoOp32/g9fw114c4e04CO52/29d3qw+3He3wfhrIEZfSHD1/fTf0e3Pj58nnybn239PHgDxku/0",
        "eNpjYECAfwwP+fpAjH4QsXb1RwaLRQzfEfIbGRiO/WJgeGNZwbBxMwOD1FfjIobWdQCSDA9+",
    ),
    "joint, stride, segments": (
        "eNp1kjGP0zAYhqOKAZh6or/AEyDrLnbaplcpogOw38CASBU5iUN9TezIdturqkhILEj8AdgQYmBgQWJkONhgYkZCYkGCkX+A7R"
        "yiXHUZYvtxvvd79X457Xju2YAkqagmOdEkScB4A06EXFGypGAMNjFgvBCxwTFQlOZmF4MgBg2MgaZcCanay1W7ZDOazZMlKRfU"
        "fToY+WGe4n4MTEEm8pYWpGLlOspmhHHIE8ajvlnEQkfINxsVBVAuuD3YnpEPNalVhM9EuNKE66QuCae2u++olDTTTPAkZdpSNP"
        "yfK9f5WDCux62dXK/rMz81GjpEufUoHVwyTWXKHGd8SaUyKuYG+2GIDRNFoag2IIQ2G+Mrd272B+78sKLGZFqKbG5xYOGMuIYP"
        "hhChqQVaMhdJH9k8JeGqELJy7bng5qaxQf/rjRqTPEjtlJx7M6K7AQawlTbKwRQCN8nWnTLIhwhPTdXfsR6sDrZS2Za6N9pSwv"
        "6uFMIwOK9VETW/UORwVyPAsI/Oaah1lYryYi+D4a6OiewwnDZN+xc/umVekw8vf9y4dPn60evxNdT9/qp+0dl/fnPy+OnP0y8f"
        "O9293qdfnz0vvLo3YeG3XvdJW/qs99UWe/j9u/tvrhz/HsmW3z7xPPL2ztEfg4EC6A==",
        "eNpjYHgrysAw34YBCNruMaCAk85AYiMDQxwHA8O+YgYGj8cMDD3ZDAxTVllMg6lxOcnA8CoQWVciwwZhk5+LPqb4ANkBHNww8e"
        "UVILK8koFB0RGh+uxsBgYA6iYWPQ==",
    ),
    "plane, inverted": (
        "eNp1kr1OwzAUhSsm3gBGZInNonHS9E+KQAxIrEidSBWcxKFWE7uy3ZaqisTMzMIzsPACDAzsPAaPwbUDUoE2Q+x8zj3n5N687L"
        "XctUZJUjFDc2pokqDhGt1JtWR0wdAQrWPERSFjwDHSjOWwi1EQoxrHyDChpdLN4bJZsgnLpsmClnPmXvUCjxTBoBMjKMhk3tCC"
        "VrxcRXPBC6kqLBIuog4scm4i4sFGRwRbuyj4LhTaUGGSWUkFs46eo0qxzHApkpQbS/3+L6ydmasZ9pxQblazJgIXpgnFhI2lHF"
        "xww1TKHediwZQGFTghIQBZFJqZb2/NIFPukpyE7vm2YhAwLWU2tbhn4YQ6t+suJmRsgVHctYDY9ikqtP1+Zy2kgIPa9nXDt4ZG"
        "o9QOxSWHiVwEPsKNMggHY4zc4JpwGpCHiT+Gqp8ptpftjY5sSo36G0qd/0rEx6T7R6qierpTY7BFo4v98I+GXlWpLHdHIVuy+C"
        "EOBuO6Pjpq/tr7U7idHR7j/fPh+1vx8HDQGoVPN1efr883j5f7H60vLQzuFw==",
        "eNoViwEKACAMAo9ijVas//82PUFQlIeQbVZdKKaLbDsdvA0j4XjEICUdOqaC+SEdAOs=",
    ),
    "bounded, stride": (
        "eNp9U0FrE0EYTZWIelOkePAgQy/CYnay2dCkxFao4qXQSwTphmV2d7ZZsjsTZmYTQxoQBAUFKYKH/gC9icdeBKVC1eJFQfDitf"
        "QiiujFXpyZTTEm1u+wM/Nmv/fevo/NHc3p6gPXTbBAARLIdUG1D25S1sWog0EV9B0QkZA6EnYAxziQOwdYDhgYDhCYcMp4dtnN"
        "Fr+J/ZbbQXGK9aueiSrQNMsOkA0+DTI0REkU92p+ygVNDOJGpFaSC01FDZpyw2tw2EC4QES47RgRrJRMjTKGfRFR4nqRUCgszf"
        "6F80ybpiTAQbVStTVbIHrtoX7bKmoIE+WJaRDHURIRpPr1XUQ6mHF90rI0DDkWSs1QWUhvgXZ00dbn1QRLo15M/ZaCiwpsIi24"
        "UjYgbChAsEhHoFoEQ4SHlCVanVAiLwYq1z+ycCCDBp4aijYvJ3LVKgIjY5bEVsMAenCZOS4h04DFhuw6mGKhWxgJZpSqPjvCBC"
        "uTVLBoWHCMaxUTzJCg7HAmc5LJgkZpnClBvHUoyT/clKBhm2McvJd4NP7PV8ksJohsGVFZZjQ4ryr7C27Ny8fChfqDytr3e9tL"
        "DzevrYenpx/tTf36fCm/sVLoXj/5fmtq/25u5tSR3nTz496ZwfOvc/6rYy8itvD2y8yN3Zfp4rnXu4prZ+dNOn/lOLDBdmHpw4"
        "/1+/Vv+eVw0f60VX7snF0Dz9p3rOX9zRO5Yf3ceJfPjdSTy7jZuj339OD8G7+4Mrk=",
        "eNpjYGBgeLda5NzXmWdYgUyGA2vZKuwT3jQzIAGu9HO8/Uxq7shi50x7FbeqT+cGsZcmVfOA6EbGU/9BdP1KxuUwdXu3OngwoA"
        "FF43NPQXRFm/wNmFjw9GMLQHSdZdmq7GbrtSC2/ZEJ/Aw4gPvNG/q45P53G1qB6HYJm6focjtiTY6D6LOH4o6C6Fz9jZwgGgAN"
        "Dy1/",
    ),
    "difference, constant planes": (
        "eNp1UjFu2zAUNdyg8Fj0AnE5BkQjiorhGBGSLkGBzJ0iQ6AlsmEskQZJ2zEMA5lyhA45QS6QvXfoDTIEyJTFB8gn1QKujWgQ+R"
        "/533t6X7/brfAsUZ7X3LGSOZbnaLBEN9rMOZtxNEDLDEkldAZwhiznJewyRDO0whlyXFltbHM4b5biihfjfMaqKQ9XIxoRQY+T"
        "DEFDocsGFayW1SKdKim0qbHKpUoTWPTUpSSCjU0J9nIp/duorGPK5ZOKKe4V46QfcGN44aRW+Ui6gP8P2yB3raVyg16gKt1i0p"
        "gArB8grrwxE0BeyVoq5nvDmVQzbmyoBiSKAdFCWO6gjLCPBKyVXiX6ehTqnzUHn6NKF2MPE+rRKxY0L48xSYYecEaGKIiP0TBl"
        "fQ7BQCmF4AYswfHKp7yhv4LY0ciPKHwFzOecxgg3/EBPhxiFMTYeLUARJvEQuv7N9HB+uJHOJtWP/gZTsstEYkx6W1Q1s+N3Oe"
        "D2LkkP020/dlGPdPW+lzja5aExPgKeVbfbbf7i21N4nT3ffm51Hj59/3Nx0LlgD7r9ZX3yKFqtj99e2/u/1tOXu/sngj7svQFB"
        "cver",
        "eNpFjAsKwAAIQj1aX7v/jWYLNgPjRQpgcHKURuJxQDj1OtP2L/cauyRb61wqhRf8egxd2a3YV/YXE6QrkzF8AMkRDL8=",
    ),
    "difference, paper, segments": (
        "eNp1Us9rFDEUnpZeisWLUPQgaC56SN3Jzv6YaRkqCp6KNw/SWYfMTsbGncksSXa3y7qg4hah/gf6L1iqh3qzahE8eNFTwZsnQU"
        "H2JngxySiuXZrD5OV7ed/3zXt5PWuZNQBhmBGJYyxxGILlAdjMeY/gLgHLYBAAypI8UHAABCGxigLgBGAIAyAJEzkXRbJXbM0N"
        "0myFXZx2iLlqOzZKHK8SAFXQzOMCTXBG077fYTTJeQZZSJlfUVvekT6yVSB8BLWc7/wpZEJiJsN2ihnRirZBOSdNSXMWRlRqtO"
        "rU/sOFUWvjNuGGJ5b9duEgSlDNQIRpV9yAJKUZZVhXmhxlXcKFORnBPEkEkergQN0N5So2Xi5Vzfl2RpTFKM2bLQ2XNbiBjeB6"
        "DSLU0IDk1DShrGskx0zoFhj5mCYJ4cqQyg91g/+po6HqOIj0dMw/qNFcc8oAFgKK32lAYCZYeBQKsiEqN1TV33GWeqWJzkxS3X"
        "AnmGr1aSpUhnXvCFeGRetYEm+ao+5B1z3CIfpZlKfHe6nWpnlcF6JKpTEcnitW8YrvrarP5VPxeHRm7+fbhZX4+Wj+xeGXE046"
        "Hp1VyNxNFcwnh1cW1+/iLWjupPjB0iv74KROLa3tXl3sqoI34CXY2V+Ymfn44/3F7Ye7+1+ffX789JFl3Rr/ir5/u3N9791OMP"
        "fJOjgdfGhcOO8F22hr9v4TyyqtFU5+A1L/Iv4=",
        "eNp7+pGBQW39+qdcUxgYsq4ut2SAg0hGCM1zhoHhVDnzxcm+xeEMDPo7ECoUpzIwZDcxMBw+x8DgupmBwTccJCpnDpOPlbXnBt"
        "G2KhD+N6C6c5dEFkJ4xvVAFfau/1iYAU9bGdA=",
    ),
    "sign-magnitude, constant planes": (
        "eNp1UjFOwzAULVVXdiSGIs+GxkmbphERTLAwwkSqyEmc1mpiV7bbUqpKHIAjsCCuwsBhGDgCtlOkUmiG2H7f/72X9/PRbNhnBZ"
        "KkIgrnWOEkAeEKPHCxIHhOQAhWMaCs4LGGYyAJyfUuBl4M1jAGijDJhayLi3rJxiSbJHNczoi96ngOKrxBNwa6IeN5jRa4ouUy"
        "mjFacFFBllAWdfXCZypCjt7ICEEjF3mbRiYVZiqZlpgRo+j3em5gK0KQTFHOkpQqU+m6v2BpBW1f6FuyXC2nGxtTVEOEGWvCgq"
        "SkFWXY9NoaZXMipD2FyPeCgcZ4UUiiNOBAE4u2lxsd56xnz6OKaK9pybOJdWTAMbai9z5EaGgAJahNA5kkBWbSRGEdSDpipxUe"
        "Mapm5srahL1lYq3TB6mZlP0UPaYrzwWw1tAS3hACO83aptSQA5E71F0/o+0sOlsRbVPdBVtM/l8m5EIU7FBVWE72cgz+4Qig29"
        "/hkMsq5eV+Kya1XR63Dz3tZX1invpvfrrQr8vPxtd7u3F983p+2H5rNV/U7eNj6/j56KDxDbCf8zw=",
        "eNpFTMERACAIwktzLfafKjUzHsiBoFSCKKy+zl0q2dsDJJS2L1y8SbLQ5gvRtUjfZunpY3Y/lAcJ0Adq",
    ),
    "difference, bounded": (
        "eNp1Urtu2zAUNbI0Q4f2DwrORC1KiW0ZFRIURTp0zhQZAiVeNYQl0iApu4ahwgG6FOh35A+6F+jWX+jSuUO2DNnCR4q6ScNB5D"
        "3UPefoXH3bG/i1QUXRgqGMGloUaLpBH6RaAV0CmqJNjrioZW7hHGkAZk85SnLU4xwZEFoqHS5XYavOoZoXS9p04F+NkojUSXqQ"
        "I9tQSRbQmra8WWed4LVULRYFF9mB3WRnMhLZg84IdnJZctcotKHCFIuGCnCKkUeVgspwKYqSG4eO/oW1FytlJxiwaToNLphZL4"
        "INLszEQyCcNeVBaHjLBXX9/o6LJSjtK68q61qDuSs0WGvMG3p56Ov3LVifZSOruYPHDjynXvBshAmZOcAo7pMgLkVFhXYxeHXG"
        "6xqU9WOvexfyX3HS29RR6SbkP8GO5ySJEQ78lj6ZYeSnGCxqC0WYxDPb9Wekw9VwJ55dqtPJDtPkIROJcRzdo2qpnj/KkT7kiC"
        "Mcp/c49LotZfO4lfg/XuIUH45nff/CrfAXb4/s4/jrs+ub7eubp1fs5Ek2uHiz90p9//Wp+/n7+Q/2cV+/+/xlcDp4exlabgFo"
        "+vpg",
        "eNpjuPfNk2HWquMMDK8YGO7sYGBgO8PAwPCMYQ2jKgMIfGX4teW7DwMcyEKoXgaG10BqHwNDFQCH1g/k",
    ),
}
